"""The one state machine of a run: every change of a run's state goes through here.

A change locks the run's row, reads its last progress and then appends. Other programs do not lock;
for what they append, the highest id decides.
"""

import dataclasses
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, or_, select, update

from database import db, execute, fetch, fetch_first, last_row_id, utc_now
from mod_outbox import outbox
from mod_outbox.models import Event, Webhook
from mod_test.models import (
    Progress,
    ProgressCause,
    ProgressRecord,
    Run,
    RunRecord,
    RunRequester,
    TestStatus,
)

# Composed once: every result and every claim asks for them.
_ROW = select(Run.id).where(Run.id == bindparam("run_id"))
LOCK = _ROW.with_for_update()
LOCK_UNLESS_LOCKED = _ROW.with_for_update(skip_locked=True)
LAST = (
    select(Progress.id, Progress.status)
    .where(Progress.test_id == bindparam("run_id"))
    .order_by(Progress.id.desc())
    .limit(1)
)
APPEND = insert(cast("Table", Progress.__table__)).values(timestamp=utc_now())
# These come right after it: the row that it has inserted is the last one.
RECORD = insert(cast("Table", ProgressRecord.__table__)).values(
    progress_id=last_row_id(), recorded_at=utc_now()
)
# Webhooks of whoever asked for the run, and those that are told of all.
IS_CONCERNED = or_(
    Webhook.all_runs,
    Webhook.account_id.in_(
        select(RunRequester.user_id).where(RunRequester.test_id == bindparam("subject_id"))
    ),
)
TELL = outbox.telling(Event.run_ended, IS_CONCERNED)
HOLD = (
    update(RunRecord)
    .where(RunRecord.test_id == bindparam("run_id"))
    .values(held_progress_id=last_row_id())
    .execution_options(synchronize_session=False)
)


@dataclasses.dataclass(frozen=True)
class State:
    """A locked run's state: its last progress, or None of it when it was never taken."""

    run_id: int
    progress_id: int | None
    status: TestStatus | None

    @property
    def has_ended(self) -> bool:
        return self.status is not None and self.status.has_ended


def lock(run_id: int, *, skip_locked: bool = False) -> State | None:
    """Lock a run until the end of this unit of work, and say where it is.

    None if it is not there or, with `skip_locked`, if somebody else has it locked.
    """
    row = {"run_id": run_id}
    if not fetch(LOCK_UNLESS_LOCKED if skip_locked else LOCK, row):
        return None
    last = fetch_first(LAST, row)
    return State(run_id, *last) if last else State(run_id, None, None)


def append(
    run_id: int,
    status: TestStatus,
    message: str,
    *,
    cause: ProgressCause = ProgressCause.worker,
    account_id: int | None = None,
    attempt_id: int | None = None,
    step: int | None = None,
    holds: bool = False,
) -> None:
    """Append one event to a locked run.

    `holds`: the event is the current attempt's, so that losing the lease makes the run wait again.
    """
    execute(APPEND, event(run_id, status, message))
    told = {"cause": cause, "account_id": account_id, "attempt_id": attempt_id, "step": step}
    execute(RECORD, told)
    if holds:
        execute(HOLD, {"run_id": run_id})


def event(run_id: int, status: TestStatus, message: str) -> dict[str, Any]:
    """The parameters of `APPEND` for an event of a locked run."""
    return {"test_id": run_id, "status": status, "message": fitting(message)}


def fitting(message: str) -> str:
    """A message cut to what the column holds on MariaDB (65,535 bytes), on a character."""
    return message.encode()[:65_535].decode(errors="ignore")


def end(
    run_id: int,
    status: TestStatus,
    message: str,
    *,
    cause: ProgressCause,
    account_id: int | None = None,
    attempt_id: int | None = None,
    step: int | None = None,
) -> bool:
    """End a run unless it has ended already; whether this call did it.

    The lease goes with the run, so its holder's next call finds out.
    """
    state = lock(run_id)
    if state is None or state.has_ended:
        return False
    append(
        run_id,
        status,
        message,
        cause=cause,
        account_id=account_id,
        attempt_id=attempt_id,
        step=step,
    )
    db.session.execute(
        update(RunRecord).where(RunRecord.test_id == run_id).values(lease_expires_at=None)
    )
    execute(TELL, outbox.message(run_id))
    return True
