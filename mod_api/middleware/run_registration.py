"""Registers runs that other programs insert, where no trigger does, before they are read.

A run belongs to the API once it has its record. The trigger `run_record_stamp` makes one as the run
is inserted; an account without the right to triggers has none, and then every request looks first.
"""

import time
from dataclasses import dataclass

from flask import request
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from database import db, has_trigger, reading, writing
from mod_api.application import PREFIX
from mod_test.models import Run, RunRecord
from mod_test.run_records import stamp_unseen

TRIGGER = "run_record_stamp"
ASKS_FOR_NONE = ("System.get_health",)
# A run may be committed after a later one: what looking at the newest misses is found this often.
THOROUGH_SECONDS = 10.0

NEWEST = select(
    select(func.max(Run.id)).scalar_subquery(),
    select(func.max(RunRecord.test_id)).scalar_subquery(),
)


@dataclass
class Watch:
    """This process's knowledge of the trigger, and the time it last looked at every run."""

    has_trigger: bool | None = None
    thorough_at: float = float("-inf")


def look(watch: Watch) -> None:
    """Register new runs before a request that may ask for them; not called once triggers do."""
    if not _may_ask_for_runs():
        return
    try:
        stamp_what_is_new(watch)
    except SQLAlchemyError:
        # The request finds out by itself, and answers in its own way.
        db.session.rollback()


def _may_ask_for_runs() -> bool:
    """Return whether this request may: it is one that there is, and has a credential, which workers
    have in the path. Health and documents are told also while the database hangs."""
    if request.url_rule is None or request.endpoint in ASKS_FOR_NONE or request.blueprint == "docs":
        return False
    return not request.path.startswith(PREFIX) or "Authorization" in request.headers


def stamp_what_is_new(watch: Watch) -> None:
    """Stamp the runs without a record, if there may be any. Raises SQLAlchemyError."""
    with reading():
        if watch.has_trigger is None:
            watch.has_trigger = has_trigger(TRIGGER)
        if watch.has_trigger:
            return
        run_id, stamped_id = db.session.execute(NEWEST).one()
    is_due = time.monotonic() - watch.thorough_at >= THOROUGH_SECONDS
    if run_id is not None and (run_id != stamped_id or is_due):
        with writing():
            stamp_unseen()
        watch.thorough_at = time.monotonic()
