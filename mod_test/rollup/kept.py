"""When a rollup may be used: never while a mark may concern it.

A mark concerns a run by its id, by a result of the regression test whose definition changed, or by
an output that came out with (or matched) the hash that is accepted now or no longer. Which runs
that are is asked once in each snapshot; statements that use what is kept leave those runs out of it
(`IS_KEPT`), and derive them like the open ones (`PENDING`). So no answer is ever stale, whether its
marks are settled or not.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, union
from sqlalchemy.orm import aliased

from database import db, exact, in_this_order, unindexed
from mod_test.models import Result, ResultFile
from mod_test.rollup.tables import OpenRun, RollupMark, RunRollup

HASH_LENGTH = 64
SNAPSHOT = "the runs that marks concern"
NONE = [0]  # no run's id: an empty list would cost the database more


def concerned() -> list[int]:
    """The rolled-up runs that marks of this snapshot concern, or `NONE`.

    A unit of work that writes sees its own marks, and others' as they come: it asks every time.
    """
    session = db.session()
    known = session.info.get(SNAPSHOT)
    if known is not None and known[0] is session.get_transaction():
        found: list[int] = known[1]
        return found
    return list(db.session.scalars(ALL_CONCERNED)) or NONE


def remember(run_ids: Iterable[int]) -> None:
    """Let `concerned` answer this for the rest of the snapshot that is being read."""
    session = db.session()
    session.info[SNAPSHOT] = session.get_transaction(), sorted(run_ids) or NONE


CONCERNED: Any = bindparam("concerned_runs", callable_=concerned, expanding=True)
# Whether a row of `RunRollup` may be used.
IS_KEPT: ColumnElement[bool] = RunRollup.test_id.not_in(CONCERNED)
# Every run that is not kept; `open_run` and `run_rollup` together hold every run.
PENDING = union(
    select(OpenRun.test_id),
    select(RunRollup.test_id).where(RunRollup.test_id.in_(CONCERNED)),
).subquery("pending")


def has_hash(file: Any, file_hash: Any) -> ColumnElement[bool]:
    """Whether an output came out with this hash, or matched it as its baseline."""
    return or_(
        exact(func.substr(file.got, 1, HASH_LENGTH)) == exact(file_hash),
        and_(
            file.got.is_(None),
            exact(func.substr(file.expected, 1, HASH_LENGTH)) == exact(file_hash),
        ),
    )


def by_own_marks() -> Select[Any]:
    """The rolled-up runs that have marks of their own, each once."""
    mark = aliased(RollupMark)
    return _rolled_up(select(RunRollup.test_id).select_from(mark), mark.run_id).where(
        mark.run_id.is_not(None)
    )


def by_definitions() -> tuple[Select[Any], Select[Any]]:
    """The rolled-up runs that marks of regression tests concern, and those that marks of accepted
    hashes concern, each once."""
    mark, result = aliased(RollupMark), aliased(Result)
    of_tests = (
        select(RunRollup.test_id)
        .select_from(mark)
        .join(result, result.regression_test_id == unindexed(mark.regression_id))
        .where(mark.regression_id.is_not(None))
    )
    accepted, file = aliased(RollupMark), aliased(ResultFile)
    of_hashes = (
        select(RunRollup.test_id)
        .select_from(accepted)
        .join(
            file,
            and_(
                file.regression_test_output_id == unindexed(accepted.output_id),
                has_hash(file, accepted.file_hash),
            ),
        )
        .where(accepted.output_id.is_not(None))
    )
    return _rolled_up(of_tests, result.test_id), _rolled_up(of_hashes, file.test_id)


def _rolled_up(marked: Select[Any], run_id: Any) -> Select[Any]:
    """The databases begin with the marks, which are few, whatever they guess."""
    found = marked.join(RunRollup, RunRollup.test_id == unindexed(run_id)).distinct()
    return in_this_order(found)


ALL_CONCERNED = union(by_own_marks(), *by_definitions())
