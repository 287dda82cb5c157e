"""A run's progress: its events with the stage of each, and the queueing before them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from database import db
from mod_api.services.paging import Page, page
from mod_api.services.runs import get_row
from mod_ci.models import Stage
from mod_test.cancellations import is_by_a_person
from mod_test.models import Progress, ProgressRecord, TestStatus
from mod_test.run_rows import RunRow

QUEUED = "queued"
ERROR = "error"
STEP_OF_STATUS = {TestStatus.testing: Stage.test.step, TestStatus.completed: Stage.finish.step}


@dataclass(frozen=True)
class Event:
    """One event of a run's life, in the words of the API."""

    timestamp: datetime
    status: str
    message: str
    step: int | None


def list_events(run_id: int, *, status: str | None, limit: int, offset: int) -> Page[Event]:
    """One page of a run's events, oldest first. Raises NotFound."""
    run = get_row(run_id)
    events = [event for _, event in events_after(run, 0)]
    if status is not None:
        events = [event for event in events if event.status == status]
    return page(events[offset : offset + limit], total=len(events), limit=limit, offset=offset)


def events_after(run: RunRow, progress_id: int) -> list[tuple[int, Event]]:
    """A run's events behind the one with this id, each with its id; 0 begins with the queueing."""
    rows = db.session.execute(
        select(Progress, ProgressRecord)
        .outerjoin(ProgressRecord, ProgressRecord.progress_id == Progress.id)
        .where(Progress.test_id == run.run_id, Progress.id > progress_id)
        .order_by(Progress.id)
    ).tuples()
    events = [(progress.id, _event(progress, record)) for progress, record in rows]
    if progress_id == 0:
        queued = Event(run.created_at, QUEUED, run.reason or "The run was queued.", 0)
        events.insert(0, (0, queued))
    return events


def _event(progress: Progress, record: ProgressRecord | None) -> Event:
    status = progress.status.value if progress.status else TestStatus.preparation.value
    cause = record.cause if record else None
    if progress.status is TestStatus.canceled and not is_by_a_person(cause, progress.message):
        status = ERROR
    step = record.step if record else None
    if step is None and progress.status is not None:
        step = STEP_OF_STATUS.get(progress.status)
    return Event(progress.timestamp, status, progress.message, step)
