"""A run's progress: its events with the stage of each, and the queueing before them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from database import fetch
from mod_api.services.paging import Page, page
from mod_api.services.runs.runs import get_row
from mod_ci.models import Stage
from mod_test.cancellations import is_by_a_person
from mod_test.models import Progress, ProgressRecord, TestStatus
from mod_test.run_rows import RunRow
from mod_test.tracebacks import headline, without_stack

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
    """A run's events behind the one with this id, each with its id; 0 begins with the queueing.

    None is earlier than the one before it: clocks differ in precision, and may be set back.
    """
    reason = without_stack(run.reason or "The run was queued.")
    events = [(0, Event(run.created_at, QUEUED, reason, 0))]
    at = run.created_at
    for row in fetch(_PROGRESS, {"run_id": run.run_id}):
        at = max(at, row.timestamp or at)
        events.append((row.id, _event(row, at)))
    return [event for event in events if event[0] > progress_id or progress_id == 0]


_PROGRESS = (
    select(
        Progress.id,
        Progress.status,
        Progress.timestamp,
        Progress.message,
        ProgressRecord.cause,
        ProgressRecord.step,
    )
    .outerjoin(ProgressRecord, ProgressRecord.progress_id == Progress.id)
    .where(Progress.test_id == bindparam("run_id"))
    .order_by(Progress.id)
)


def _event(row: Any, at: datetime) -> Event:
    status = row.status.value if row.status else TestStatus.preparation.value
    message = without_stack(row.message)
    if row.status is TestStatus.canceled and not is_by_a_person(row.cause, row.message):
        status, message = ERROR, headline(row.message)
    step = row.step
    if step is None and row.status is not None:
        step = STEP_OF_STATUS.get(row.status)
    return Event(at, status, message, step)
