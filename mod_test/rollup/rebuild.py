"""Rebuilding the rollup from nothing."""

from collections.abc import Iterator
from typing import cast

from sqlalchemy import Table, delete, insert, update

from database import Base, db, writing
from mod_test.rollup import derive, facts, opened, triggers
from mod_test.rollup.settle import begin_generation, settling, write_down_change
from mod_test.rollup.tables import TABLES, FailingResult, OpenRun, RollupState, RunRollup

BATCH = 200


def prepare() -> bool:
    """Make sure that the tables are there and that marks are made, and let go of what nobody can
    derive anew; False where the account may not create triggers, and then nothing is kept."""
    Base.metadata.create_all(db.engine, [cast("Table", table.__table__) for table in TABLES])
    with writing():
        complete = triggers.create(db.session.connection())
        if db.session.get(RollupState, 1) is None:
            db.session.execute(insert(RollupState).values(id=1))
        if not complete:
            for table in (RunRollup, FailingResult):
                db.session.execute(delete(table))
            db.session.execute(update(OpenRun).values(settled=False))
        facts.forget_wrong_sets()
        opened.write_down()
        begin_generation(marks_are_made=complete)
        return complete


def rebuild(*, after: int = 0) -> Iterator[tuple[int, int]]:
    """Derive every run with an id above `after`, in batches, each a unit of work of its own.

    Yields the last id that is done and how many runs are: broken off, it is resumed from there.
    """
    done = 0
    while True:
        with settling():
            ids = derive.runs_behind(after, BATCH)
            changed = derive.roll_up(ids)
            if ids:
                write_down_change(min(changed, default=ids[0]))
        if not ids:
            return
        after, done = ids[-1], done + len(ids)
        yield after, done
