"""The record that makes a run visible in the API, written here where no trigger writes it."""

from sqlalchemy import exists, func, insert, select

from database import db, utc_now
from mod_test.models import Progress, Run, RunRecord
from mod_test.rollup import opened


def stamp(run_id: int) -> None:
    """Give a run its record and list it as open, unless a trigger has done so."""
    stamped = exists().where(RunRecord.test_id == run_id)
    missing = select(Run.id, utc_now()).where(Run.id == run_id, ~stamped)
    db.session.execute(insert(RunRecord).from_select(["test_id", "created_at"], missing))
    opened.write_down(run_id)


def stamp_unseen() -> None:
    """Give every run without a record one and list it as open, where there are no triggers.

    `created_at` is the run's first progress, else now.
    """
    first = (
        select(func.min(Progress.timestamp))
        .where(Progress.test_id == Run.id)
        .correlate(Run)
        .scalar_subquery()
    )
    unseen = select(Run.id, func.coalesce(first, utc_now())).where(
        ~exists().where(RunRecord.test_id == Run.id)
    )
    db.session.execute(insert(RunRecord).from_select(["test_id", "created_at"], unseen))
    opened.write_down()
