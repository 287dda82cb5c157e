"""Runs that are not rolled up, where no trigger writes them down.

`open_run` and `run_rollup` together always hold every run: whoever looks for runs that wait or go
on need not look at all of them.
"""

from sqlalchemy import exists, insert, select

from database import db
from mod_test.models import Run
from mod_test.rollup.tables import OpenRun, RunRollup


def write_down(run_id: int | None = None) -> None:
    """Keep a run as open that is in neither table; without `run_id` all such runs."""
    missing = select(Run.id).where(
        ~exists().where(OpenRun.test_id == Run.id), ~exists().where(RunRollup.test_id == Run.id)
    )
    if run_id is not None:
        missing = missing.where(Run.id == run_id)
    db.session.execute(insert(OpenRun).from_select(["test_id"], missing))
