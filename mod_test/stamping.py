"""Runs get their record, from which on they belong to the API, where no trigger has given it."""

from sqlalchemy import exists, func, insert, select

from database import db, utc_now
from mod_test.models import Progress, Run, RunRecord
from mod_test.rollup import opened


def stamp(run_id: int) -> None:
    """Give a run its record now, and keep it as open, where no trigger has done so."""
    stamped = exists().where(RunRecord.test_id == run_id)
    missing = select(Run.id, utc_now()).where(Run.id == run_id, ~stamped)
    db.session.execute(insert(RunRecord).from_select(["test_id", "created_at"], missing))
    opened.write_down(run_id)


def stamp_unseen() -> None:
    """Give every run without a record one, where the account may not create triggers, and keep it
    as open.

    A run gets the time of its first progress, else that of its being seen now.
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
