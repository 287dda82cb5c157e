"""When a rollup may be used: never while a mark may concern it.

A mark concerns a run by its id, by a result of the regression test whose definition changed, or by
an output that came out with (or matched) the hash that is accepted now or no longer.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from database import exact
from mod_test.models import Result, ResultFile
from mod_test.rollup.tables import RollupMark, RunRollup

HASH_LENGTH = 64


def is_kept(run_id: Any) -> ColumnElement[bool]:
    """How a rollup is joined to its run: only while no mark of this snapshot concerns the run.

    What it does not hold for is derived, so no answer is ever stale, settled or not.
    """
    own = aliased(RollupMark)
    return and_(
        RunRollup.test_id == run_id,
        ~exists().where(own.run_id == run_id).correlate_except(own),
        *(
            ~runs.where(column == run_id).correlate_except(*tables).exists()
            for runs, column, tables in _concerned()
        ),
    )


def runs_of_definitions(most: int) -> Select[Any]:
    """How many rolled-up runs marks of definitions and hashes concern, counted up to `most`."""
    found = []
    for runs, column, _ in _concerned():
        few = runs.join(RunRollup, RunRollup.test_id == column).distinct().limit(most).subquery()
        found.append(select(func.count()).select_from(few).scalar_subquery())
    return select(found[0] + found[1])


def has_hash(file: Any, file_hash: Any) -> ColumnElement[bool]:
    """Whether an output came out with this hash, or matched it as its baseline."""
    return or_(
        exact(func.substr(file.got, 1, HASH_LENGTH)) == exact(file_hash),
        and_(
            file.got.is_(None),
            exact(func.substr(file.expected, 1, HASH_LENGTH)) == exact(file_hash),
        ),
    )


def _concerned() -> list[tuple[Select[Any], Any, tuple[Any, Any]]]:
    """The runs that marks of definitions, and of hashes, concern; with the column of their ids and
    the tables that are asked."""
    mark, result = aliased(RollupMark), aliased(Result)
    by_definition = (
        select(result.test_id)
        .select_from(mark)
        .join(result, result.regression_test_id == mark.regression_id)
    )
    accepted, file = aliased(RollupMark), aliased(ResultFile)
    by_hash = (
        select(file.test_id)
        .select_from(accepted)
        .join(
            file,
            and_(
                file.regression_test_output_id == accepted.output_id,
                has_hash(file, accepted.file_hash),
            ),
        )
    )
    return [
        (by_definition.where(mark.regression_id.is_not(None)), result.test_id, (mark, result)),
        (by_hash.where(accepted.output_id.is_not(None)), file.test_id, (accepted, file)),
    ]
