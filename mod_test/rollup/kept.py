"""Decides when a precomputed run summary is fresh: only if no pending mark concerns that run.

A mark concerns a run by its id, by a result of the regression test whose definition changed, or by
an output that came out with (or matched) the hash that is accepted now or no longer. Which runs
that are is asked once in each snapshot; statements that use what is kept leave those runs out of it
(`IS_KEPT`), and derive them (`PENDING`). So no answer is ever stale, whether its marks are settled
or not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    union,
)
from sqlalchemy.orm import aliased

from database import NO_ID, exact, fetch_values, in_this_order, snapshot_notes, unindexed
from mod_test.models import Result, ResultFile, Run
from mod_test.rollup.tables import OpenRun, RollupMark, RunRollup

HASH_LENGTH = 64
KNOWN = "marks"
Version = tuple[int, int]
NONE = (NO_ID,)  # an empty list would cost the database more


@dataclass(frozen=True)
class Known:
    """What this snapshot knows of marks: the runs that they concern, or NONE.

    `is_quiet`: no mark waits, and every run is kept; nothing has to be derived. `is_whole`: what is
    kept is what it was when its version began, also of the runs that marks concern; of one that is
    gone, the rows went with it. `version` is that of what is kept, its generation and newest
    change; None where nobody knows. `definitions` is that of regression tests; None also while
    marks of them wait.
    """

    concerned: tuple[int, ...] = NONE
    version: Version | None = None
    is_quiet: bool = False
    is_whole: bool = False
    definitions: Version | None = None


def known() -> Known:
    """What this snapshot knows.

    A unit of work that writes sees its own marks, and others' as they come: it asks every time.
    """
    notes = snapshot_notes()
    found: Known | None = None if notes is None else notes.get(KNOWN)
    if found is None:
        found = Known(_sorted(fetch_values(ALL_CONCERNED)))
        if notes is not None:
            notes[KNOWN] = found
    return found


def concerned() -> tuple[int, ...]:
    """The runs that marks of this snapshot concern, or `NONE`."""
    return known().concerned


def remember(
    run_ids: Iterable[int],
    *,
    version: Version | None,
    is_quiet: bool,
    is_whole: bool,
    definitions: Version | None,
) -> None:
    """Let `known` answer this for the rest of the snapshot that is being read."""
    notes = snapshot_notes()
    if notes is not None:
        notes[KNOWN] = Known(_sorted(run_ids), version, is_quiet, is_whole, definitions)


def first_mark_of_definitions() -> ScalarSelect[int | None]:
    """The first mark that is of no run, but of what many have: tests, and what is accepted."""
    return select(func.min(RollupMark.id)).where(RollupMark.run_id.is_(None)).scalar_subquery()


def version_of_definitions(state: Any) -> Version | None:
    """What a row with the columns `generation`, `definitions_id` and `first_of_definitions` says:
    the version of regression tests; None while a mark of them waits."""
    if not state.generation or state.first_of_definitions is not None:
        return None
    return state.generation, state.definitions_id


def _sorted(run_ids: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(run_ids)) or NONE


CONCERNED: Any = bindparam("concerned_runs", callable_=concerned, expanding=True)
# Whether a row of `RunRollup` may be used.
IS_KEPT: ColumnElement[bool] = RunRollup.test_id.not_in(CONCERNED)
# Every run that is not kept.
PENDING = union(
    select(OpenRun.test_id).where(OpenRun.settled.is_(False)),
    select(Run.id).where(Run.id.in_(CONCERNED)),
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
    """The runs that have marks of their own, each once; some may be gone."""
    return select(RollupMark.run_id).where(RollupMark.run_id.is_not(None)).distinct()


def by_definitions() -> tuple[Select[Any], Select[Any]]:
    """The kept runs that marks of regression tests concern, and those that marks of accepted
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
