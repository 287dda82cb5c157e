"""Runs that other programs insert where no trigger stamps them: stamped before they are asked for.

A run belongs to the API once it has its record. The trigger `run_record_stamp` makes one as the run
is inserted; an account without the right to triggers has none, and then every request looks first.
"""

import time
from dataclasses import dataclass

from flask import Flask, request
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from database import db, has_trigger, reading, writing
from mod_api.middleware.headers import PREFIX
from mod_test.models import Run, RunRecord
from mod_test.run_rows import stamp_unseen

TRIGGER = "run_record_stamp"
# A run may be committed after a later one: what looking at the newest misses is found this often.
THOROUGH_SECONDS = 10.0

NEWEST = select(
    select(func.max(Run.id)).scalar_subquery(),
    select(func.max(RunRecord.test_id)).scalar_subquery(),
)


@dataclass
class Watch:
    """What this process knows of the trigger, and when it last looked at every run."""

    has_trigger: bool | None = None
    thorough_at: float = float("-inf")


def install(app: Flask) -> None:
    """Look for unseen runs before each request that may ask for them, unless the database does it.

    A request of the API without a credential is refused anyway; workers have theirs in the path.
    """
    watch = Watch()

    def look() -> None:
        is_open = request.path.startswith(PREFIX) and "Authorization" not in request.headers
        if watch.has_trigger or is_open:
            return
        try:
            stamp_what_is_new(watch)
        except SQLAlchemyError:
            # The request finds out by itself, and answers in its own way.
            db.session.rollback()

    app.before_request(look)


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
