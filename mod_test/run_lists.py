"""Lists of runs: the kept ones by their indexes, the rest derived, as one."""

import functools
from typing import Any

from sqlalchemy import Select, func, select

from mod_test import run_filters, run_rows
from mod_test.models import Run, RunRecord
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import RunRollup
from mod_test.verdict import status_of_run

# What runs are sorted by: as it is kept, and of the others.
KEPT: dict[str, Any] = {
    "run_id": RunRollup.test_id,
    "created_at": RunRollup.created_at,
    "started_at": RunRollup.started_at,
}
DERIVED: dict[str, Any] = {
    "run_id": Run.id,
    "created_at": RunRecord.created_at,
    "started_at": run_rows.started_at(),
}


def kept_runs(given: frozenset[str]) -> Select[Any]:
    """`run_id`, `status` and `started_at` of the kept runs that are meant, where the filter has
    these parameters."""
    return select(RunRollup.test_id.label("run_id"), RunRollup.status, RunRollup.started_at).where(
        IS_KEPT, *run_filters.of_kept(given)
    )


def other_runs(given: frozenset[str]) -> Select[Any]:
    """The same of the other runs that are meant."""
    return run_rows.pending(
        Run.id.label("run_id"),
        status_of_run(run_rows.Last).label("status"),
        run_rows.started_at().label("started_at"),
    ).where(*run_filters.of_derived(given))


@functools.cache
def counting(given: frozenset[str]) -> Select[Any]:
    """What counts the runs that are meant."""
    number = func.count()
    kept = kept_runs(given).with_only_columns(number).scalar_subquery()
    others = other_runs(given).with_only_columns(number).scalar_subquery()
    return select(kept + others)
