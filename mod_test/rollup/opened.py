"""Runs that are not rolled up, where no trigger writes them down.

`open_run` and `run_rollup` together always hold every run: whoever looks for runs that wait or go
on need not look at all of them.
"""

from sqlalchemy import exists, func, insert, select

from database import db
from mod_test.models import Run
from mod_test.rollup.tables import OpenRun, RollupMark, RunRollup

_IN_NEITHER = select(Run.id).where(
    ~exists().where(OpenRun.test_id == Run.id), ~exists().where(RunRollup.test_id == Run.id)
)
_NEVER_SETTLED = (
    select(func.count(), func.max(OpenRun.test_id))
    .select_from(OpenRun)
    .where(OpenRun.settled.is_(False), ~exists().where(RollupMark.run_id == OpenRun.test_id))
)


def count_in_neither() -> int:
    """Return how many runs are in neither table: no answer shows them."""
    return db.session.scalar(select(func.count()).select_from(_IN_NEITHER.subquery())) or 0


def never_settled() -> tuple[int, int | None]:
    """How many runs are derived at each reading, which no mark lets anybody settle; the newest."""
    count, newest = db.session.execute(_NEVER_SETTLED).one()
    return count, newest


def write_down(run_id: int | None = None) -> None:
    """Keep a run as open that is in neither table; without `run_id` all such runs."""
    missing = _IN_NEITHER if run_id is None else _IN_NEITHER.where(Run.id == run_id)
    db.session.execute(insert(OpenRun).from_select(["test_id"], missing))
