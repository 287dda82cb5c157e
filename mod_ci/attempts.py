"""An attempt: what a runner that holds a lease reports, and how its hold is checked.

Every call names the attempt and brings its credential. What changes the run's state happens under
the lock of the run's row, where it is decided once whether the lease is still held.
"""

import enum
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Executable, Integer, and_, bindparam, or_, select, update

from database import (
    Batch,
    db,
    execute,
    fetch,
    fetch_first,
    fetch_value,
    keep,
    utc_after,
    utc_now,
)
from errors import Conflict, Unauthorized, Unavailable
from mod_auth import credentials
from mod_ci import results
from mod_ci.models import Attempt, EndReason, Stage
from mod_ci.queue import count_failures, end_open_attempts, fingerprint
from mod_test import last_passed, state
from mod_test.models import Platform, ProgressCause, RunRecord, TestStatus
from mod_test.run_rows import Last, RunRow, is_last
from mod_test.verdict import RunStatus

STAGE_MESSAGES = {
    Stage.checkout: "Checking out the commit.",
    Stage.merge: "Merging into the target branch.",
    Stage.build: "Building.",
    Stage.test: "Running the regression tests.",
    Stage.finish: "Finishing.",
}
LOG_GRACE_SECONDS = 60
# A lease that a result has renewed so recently, the next one leaves as it is.
A_MOMENT = timedelta(seconds=1)
NOT_VALID = "The attempt's credential is missing or not valid."

# Whether the newest attempt at a run that has ended (`Last`) may still append: for a minute, unless
# it has itself reported the end, before which it has sent all that it had to say.
LOG_GOES_ON = and_(
    or_(
        Attempt.end_reason.is_(None),
        Attempt.end_reason == EndReason.canceled,
        Attempt.end_reason == EndReason.deadline_exceeded,
    ),
    Last.timestamp >= utc_after(-LOG_GRACE_SECONDS),
)

# Composed once: every call of an attempt asks for these.
_RUN_ID = bindparam("run_id", type_=Integer)
_ATTEMPT_ID = bindparam("attempt_id", type_=Integer)
_SECONDS = bindparam("seconds", type_=Integer)
_CREDENTIAL = select(
    Attempt.id,
    Attempt.number,
    Attempt.test_id,
    Attempt.platform,
    Attempt.runner_name,
    Attempt.credential_hash,
).where(Attempt.id == _ATTEMPT_ID)
_LEASE = (
    select(
        Attempt.test_id,
        Attempt.credential_hash,
        Attempt.end_reason,
        RunRecord.attempts,
        RunRecord.lease_expires_at,
        (RunRecord.lease_expires_at >= utc_now()).label("live"),
        (Attempt.deadline_at < utc_now()).label("late"),
        utc_after(_SECONDS).label("renewed_until"),
        Last.status,
        LOG_GOES_ON.label("log_goes_on"),
    )
    .join(RunRecord, RunRecord.test_id == Attempt.test_id)
    .outerjoin(Last, is_last(Attempt.test_id))
    .where(Attempt.id == _ATTEMPT_ID)
)
_RUNNING = (
    select(Attempt.running_tests)
    .where(Attempt.test_id == _RUN_ID, Attempt.ended_at.is_(None))
    .order_by(Attempt.number.desc())
    .limit(1)
)
_RENEW = (
    update(RunRecord)
    .where(RunRecord.test_id == _RUN_ID)
    .values(lease_expires_at=bindparam("until", type_=RunRecord.lease_expires_at.type))
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True)
class AttemptCredential:
    """A credential that was shown, and its attempt; whether the lease is held is checked later."""

    attempt_id: int
    number: int
    run_id: int
    platform: Platform
    runner_name: str
    credential_hash: str = field(repr=False)


@dataclass(frozen=True)
class LeaseState:
    """The lease as every answer to an attempt shows it: whether to go on, and until when.

    `is_beat_due`: what comes now should be a heartbeat, too, since much of the lease is used up, or
    the deadline has passed, which ends the run.
    """

    canceled: bool
    lease_expires_at: datetime | None
    is_beat_due: bool = False


class LeaseStatus(enum.Enum):
    """The lease of an attempt; `late`: held, but for longer than a run may take."""

    held = enum.auto()
    late = enum.auto()
    ended = enum.auto()
    lost = enum.auto()


def recalled(attempt_id: Any, credential: str) -> AttemptCredential | None:
    """The attempt that this credential opened a moment ago, if it did: good for what locks its run
    and then asks again (`_checked`)."""
    hold: AttemptCredential | None = credentials.remembered(("attempt", attempt_id))
    if hold is None or not hmac.compare_digest(hold.credential_hash, fingerprint(credential)):
        return None
    return hold


def authenticate(attempt_id: Any, credential: str) -> AttemptCredential | None:
    """The attempt that this credential opens, or None."""
    if not isinstance(attempt_id, int):
        return None
    row = fetch_first(_CREDENTIAL, {"attempt_id": attempt_id})
    if row is None or not hmac.compare_digest(row.credential_hash, fingerprint(credential)):
        return None
    hold = AttemptCredential(
        row.id, row.number, row.test_id, row.platform, row.runner_name, row.credential_hash
    )
    credentials.note(("attempt", attempt_id), hold)
    return hold


def heartbeat(
    hold: AttemptCredential,
    *,
    lease_seconds: int,
    stage: Stage | None = None,
    message: str | None = None,
    running: Sequence[int] | None = None,
) -> LeaseState:
    """Renew the lease; note the stage (the first time it is a progress event) and what runs now.

    A run that was canceled, or is past its deadline, answers `canceled`. Raises Conflict
    `lease_lost` or `run_ended`.
    """
    row = _lock(hold, lease_seconds, canceled_is_an_answer=True)
    if row is None:
        return LeaseState(canceled=True, lease_expires_at=None)
    attempt = db.session.get_one(Attempt, hold.attempt_id)
    if running is not None:
        attempt.running_tests = json.dumps(sorted(set(running)))
    if stage is not None and (attempt.stage is None or attempt.stage.step < stage.step):
        attempt.stage = stage
        status = TestStatus.testing if stage.step >= Stage.test.step else TestStatus.preparation
        state.append(
            hold.run_id,
            status,
            message or STAGE_MESSAGES[stage],
            attempt_id=hold.attempt_id,
            step=stage.step,
            holds=True,
        )
    db.session.flush()
    return _renew(hold, row.renewed_until)


def running_tests(run: RunRow) -> list[int]:
    """The regression tests at which the runner of a run is at this moment, as it last said."""
    if run.status is not RunStatus.running:
        return []
    told = fetch_value(_RUNNING, {"run_id": run.run_id})
    return json.loads(told) if told else []


def finish(
    hold: AttemptCredential,
    reason: EndReason,
    *,
    error_type: str | None = None,
    message: str | None = None,
    stack: Sequence[str] = (),
) -> LeaseState:
    """End the attempt: the run is completed, given back, or canceled by the infrastructure.

    Finishing twice with the same reason is harmless. Raises Conflict `lease_lost` or `run_ended`,
    and Unauthorized.
    """
    fetch(state.LOCK, {"run_id": hold.run_id})
    if _checked(hold, fetch(_LEASE, _lease_of(hold))).end_reason is reason:
        return LeaseState(canceled=False, lease_expires_at=None)
    _lock(hold)
    attempt = db.session.get_one(Attempt, hold.attempt_id)
    attempt.ended_at = utc_now()
    attempt.end_reason = reason
    attempt.running_tests = None
    if reason is EndReason.runner_shutdown:
        _give_back(hold)
    elif reason is EndReason.completed:
        state.end(
            hold.run_id,
            TestStatus.completed,
            "All regression tests were run.",
            cause=ProgressCause.worker,
            attempt_id=hold.attempt_id,
            step=Stage.finish.step,
        )
        last_passed.note(hold.run_id, hold.platform)
    else:
        count_failures(hold.run_id)
        attempt.error_type = error_type
        attempt.error_message = message or f"The attempt ended: {reason.value}."
        attempt.error_stack = json.dumps(list(stack))
        state.end(
            hold.run_id,
            TestStatus.canceled,
            attempt.error_message,
            cause=ProgressCause.infrastructure,
            attempt_id=hold.attempt_id,
        )
    db.session.flush()
    return LeaseState(canceled=False, lease_expires_at=None)


def hold_for_result(
    hold: AttemptCredential, regression_id: int, lease_seconds: int
) -> tuple[LeaseState, results.Expected]:
    """Lock the run for a result of this attempt; until when the lease is to be held (`renew`), and
    what the regression test should do.

    Call it in a unit of work that is `pipelined`. A lease that was renewed a moment ago is left as
    it is: results of short tests come many a second. Raises Conflict `lease_lost` or `run_ended`,
    and NotFound for a test that is not the run's.
    """
    wanted = {"run_id": hold.run_id, "regression_id": regression_id}
    batch = Batch()
    locked = batch.add(state.LOCK, {"run_id": hold.run_id})
    lease = batch.add(_LEASE, _lease_of(hold, lease_seconds))
    expected = batch.add(results.EXPECTED, wanted)
    batch.send()
    row = _decide(hold, bool(locked.rows), lease.rows)
    moment = min(A_MOMENT, timedelta(seconds=lease_seconds) / 20)
    is_fresh = abs(row.renewed_until - row.lease_expires_at) < moment
    until = row.lease_expires_at if is_fresh else row.renewed_until
    return LeaseState(False, until, is_beat_due=not is_fresh), results.expected_in(
        expected.rows, regression_id
    )


def renewal(hold: AttemptCredential, until: datetime | None) -> tuple[Executable, dict[str, Any]]:
    """The statement that renews the lease of a locked run, with its parameters."""
    return _RENEW, {"run_id": hold.run_id, "until": until}


def check_for_log(hold: AttemptCredential, lease_seconds: int) -> LeaseState:
    """Return whether this attempt may append to the log: one plain read, no lock, no write.

    After an end that came from elsewhere the attempt that was current may go on for 60 s. Raises
    Conflict `lease_lost` or `run_ended`.
    """
    row = _checked(hold, fetch(_LEASE, _lease_of(hold, lease_seconds)))
    status = _lease_status(row, hold.number)
    if status is LeaseStatus.lost:
        raise _lost()
    if status is LeaseStatus.ended:
        if not row.log_goes_on:
            raise _ended(row.status)
        return LeaseState(row.status is TestStatus.canceled, None)
    used = row.renewed_until - row.lease_expires_at
    is_used_up = used > timedelta(seconds=max(1, lease_seconds // 4))
    return LeaseState(
        canceled=False,
        lease_expires_at=row.lease_expires_at,
        is_beat_due=is_used_up or status is LeaseStatus.late,
    )


def _lock(
    hold: AttemptCredential, lease_seconds: int = 0, *, canceled_is_an_answer: bool = False
) -> Any:
    """Lock the run and make sure that this attempt holds it; its row of `_LEASE`.

    As `_decide`, which decides.
    """
    locked = fetch(state.LOCK, {"run_id": hold.run_id})
    lease = fetch(_LEASE, _lease_of(hold, lease_seconds))
    return _decide(hold, bool(locked), lease, canceled_is_an_answer=canceled_is_an_answer)


def _decide(
    hold: AttemptCredential,
    is_locked: bool,
    lease: Sequence[Any],
    *,
    canceled_is_an_answer: bool = False,
) -> Any:
    """The row of `_LEASE` of an attempt that holds its run, which is locked.

    A run past its deadline is ended. None when the run was canceled, or is so now, and that is an
    answer. Raises Conflict `lease_lost`, `run_ended`.
    """
    row = _checked(hold, lease)
    status = _lease_status(row, hold.number) if is_locked else LeaseStatus.lost
    if status is LeaseStatus.lost:
        raise _lost()
    if status is LeaseStatus.ended:
        if row.status is TestStatus.canceled and canceled_is_an_answer:
            end_open_attempts(hold.run_id, EndReason.canceled)
            return None
        raise _ended(row.status)
    if status is LeaseStatus.late:
        _exceed_deadline(hold)
        if canceled_is_an_answer:
            return None
        raise Conflict(
            "The run took longer than a run may; it was ended.", "run_ended", canceled=True
        )
    return row


def _lease_status(row: Any, number: int) -> LeaseStatus:
    """Return the lease status of the attempt of that number, by its row of `_LEASE`."""
    given_up = row.end_reason in (EndReason.lease_expired, EndReason.runner_shutdown)
    if row.attempts != number or row.status is None or given_up:
        return LeaseStatus.lost
    if row.status.has_ended:
        return LeaseStatus.ended
    if not row.live:
        return LeaseStatus.lost
    return LeaseStatus.late if row.late else LeaseStatus.held


def _lease_of(hold: AttemptCredential, lease_seconds: int = 0) -> dict[str, int]:
    return {"attempt_id": hold.attempt_id, "seconds": lease_seconds}


def _checked(hold: AttemptCredential, rows: Sequence[Any]) -> Any:
    """The one row of `_LEASE` that was read now.

    Raises Unauthorized where its credential opens it no more, and Unavailable where its run has
    another id since it was shown.
    """
    row = rows[0] if rows else None
    if row is None or not hmac.compare_digest(row.credential_hash, hold.credential_hash):
        raise Unauthorized(NOT_VALID)
    if row.test_id != hold.run_id:
        credentials.forget(("attempt", hold.attempt_id))
        raise Unavailable("The run has another id now. Try again.", retry_after=1)
    return row


def _exceed_deadline(hold: AttemptCredential) -> None:
    message = "The run took longer than a run may and was ended."
    count_failures(hold.run_id)
    db.session.execute(
        update(Attempt)
        .where(Attempt.id == hold.attempt_id)
        .values(
            ended_at=utc_now(),
            end_reason=EndReason.deadline_exceeded,
            error_type="worker",
            error_message=message,
        )
    )
    state.end(
        hold.run_id,
        TestStatus.canceled,
        message,
        cause=ProgressCause.infrastructure,
        attempt_id=hold.attempt_id,
    )
    # The refusal that follows rolls its unit of work back; the end of the run must outlive it.
    keep()


def _give_back(hold: AttemptCredential) -> None:
    state.append(
        hold.run_id,
        TestStatus.preparation,
        f"Attempt {hold.number}: {hold.runner_name} is shutting down; the run waits again.",
        attempt_id=hold.attempt_id,
        step=0,
        holds=True,
    )
    db.session.execute(
        update(RunRecord).where(RunRecord.test_id == hold.run_id).values(lease_expires_at=None)
    )


def _renew(hold: AttemptCredential, until: datetime) -> LeaseState:
    execute(*renewal(hold, until))
    return LeaseState(canceled=False, lease_expires_at=until)


def _lost() -> Conflict:
    return Conflict("The lease was lost: this attempt no longer holds the run.", "lease_lost")


def _ended(status: TestStatus) -> Conflict:
    canceled = status is TestStatus.canceled
    return Conflict(f"The run has ended ({status.value}).", "run_ended", canceled=canceled)
