"""The queue: which runs wait, in which order, and who gets the next one (decision 5).

A claim is decided by one conditional UPDATE under the lock of the run's row, so two runners never
get the same run. Leases compare with the database's clock.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update

from database import db, utc_after, utc_now
from mod_auth.accounts import Account
from mod_ci.models import Attempt, EndReason, GcpInstance, Maintenance
from mod_test import state
from mod_test.models import (
    Platform,
    ProgressCause,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)
from mod_test.run_rows import Last, joined
from mod_test.state import State
from mod_test.verdict import waits

MOST_LOST_ATTEMPTS = 3
CANDIDATES = 20
LOST_MESSAGE = "The runner stopped answering in {count} attempts; the run was given up."


@dataclass(frozen=True)
class Claim:
    """A lease on a run, as its runner gets it; `credential` is shown this once."""

    attempt_id: int
    number: int
    credential: str
    run_id: int
    lease_expires_at: datetime
    deadline_at: datetime


def is_waiting() -> ColumnElement[bool]:
    """Whether a run (of `joined`) waits for a runner: never taken, or its lease was lost."""
    return or_(
        Last.id.is_(None),
        and_(Last.status.in_([TestStatus.preparation, TestStatus.testing]), waits(Last)),
    )


def is_paused(platform: Platform) -> bool:
    """Whether a platform is in maintenance and hands out nothing."""
    return bool(
        db.session.scalar(
            select(exists().where(Maintenance.platform == platform, Maintenance.disabled.is_(True)))
        )
    )


def claim(
    platform: Platform,
    runner_name: str,
    *,
    account: Account,
    lease_seconds: int,
    run_time_limit: int,
) -> Claim | None:
    """Take the oldest waiting run of `platform`, or None when there is none for us.

    Never one that the existing scheduler has given a machine. Runs whose third lease was lost are
    canceled on the way.
    """
    if is_paused(platform):
        return None
    candidates = db.session.scalars(
        joined(Run.id)
        .where(
            Run.platform == platform,
            is_waiting(),
            ~exists().where(GcpInstance.test_id == Run.id),
        )
        .order_by(Run.id)
        .limit(CANDIDATES)
    ).all()
    for run_id in candidates:
        held = state.lock(run_id, skip_locked=True)
        if held is not None and _may_be_taken(held):
            if _give_up(held):
                continue
            return _take(held, platform, runner_name, account, lease_seconds, run_time_limit)
    return None


def expire() -> int:
    """Write down every lease that has expired; how many there were.

    The next claim does the same for the run that it takes, so this only keeps the tables tidy.
    """
    expired = db.session.scalars(
        select(RunRecord.test_id).where(
            RunRecord.lease_expires_at.is_not(None), RunRecord.lease_expires_at < utc_now()
        )
    ).all()
    count = 0
    for run_id in expired:
        held = state.lock(run_id)
        if held is None or not _lease_has_expired(run_id):
            continue
        count += 1
        if held.has_ended:
            end_open_attempts(run_id, EndReason.canceled)
            _forget_lease(run_id)
        else:
            _give_up(held)
    return count


def _may_be_taken(held: State) -> bool:
    """Whether the run still waits, now that its row is locked."""
    if held.status is None:
        return True
    if held.has_ended:
        return False
    record = db.session.execute(
        select(
            RunRecord.held_progress_id,
            or_(RunRecord.lease_expires_at.is_(None), RunRecord.lease_expires_at < utc_now()).label(
                "free"
            ),
        ).where(RunRecord.test_id == held.run_id)
    ).one()
    return record.held_progress_id == held.progress_id and bool(record.free)


def _give_up(held: State) -> bool:
    """Write down a lost lease of a locked run; whether that was one too many."""
    run_id = held.run_id
    if held.status is not None and _lease_has_expired(run_id):
        db.session.execute(
            update(RunRecord)
            .where(RunRecord.test_id == run_id)
            .values(lost_attempts=RunRecord.lost_attempts + 1)
        )
    attempt_id = end_open_attempts(run_id, EndReason.lease_expired)
    _forget_lease(run_id)
    lost = db.session.scalar(select(RunRecord.lost_attempts).where(RunRecord.test_id == run_id))
    if lost is None or lost < MOST_LOST_ATTEMPTS or held.status is None:
        return False
    state.end(
        run_id,
        TestStatus.canceled,
        LOST_MESSAGE.format(count=lost),
        cause=ProgressCause.infrastructure,
        attempt_id=attempt_id,
    )
    return True


def _take(
    held: State,
    platform: Platform,
    runner_name: str,
    account: Account,
    lease_seconds: int,
    run_time_limit: int,
) -> Claim | None:
    run_id = held.run_id
    seen = db.session.scalars(select(RunRecord.attempts).where(RunRecord.test_id == run_id)).one()
    won = db.session.execute(
        update(RunRecord)
        .where(
            RunRecord.test_id == run_id,
            RunRecord.attempts == seen,
            RunRecord.lease_expires_at.is_(None),
        )
        .values(attempts=seen + 1, lease_expires_at=utc_after(lease_seconds))
    )
    if won.rowcount != 1:  # type: ignore[attr-defined]  # a cursor result, as UPDATE gives
        return None
    credential = "spca_" + secrets.token_urlsafe(32)
    if held.status is None:  # it never was taken, or the existing site has restarted it
        db.session.execute(
            update(RunRecord).where(RunRecord.test_id == run_id).values(lost_attempts=0)
        )
    attempt = Attempt(
        test_id=run_id,
        number=seen + 1,
        platform=platform,
        runner_name=runner_name,
        account_id=account.id,
        credential_hash=fingerprint(credential),
        claimed_at=utc_now(),
        deadline_at=utc_after(run_time_limit),
    )
    db.session.add(attempt)
    db.session.flush()
    _drop_files_without_result(run_id)
    state.append(
        run_id,
        TestStatus.preparation,
        f"Attempt {attempt.number}: taken by {runner_name}.",
        attempt_id=attempt.id,
        step=0,
        holds=True,
    )
    times = db.session.execute(
        select(Attempt.deadline_at, RunRecord.lease_expires_at)
        .join(RunRecord, RunRecord.test_id == Attempt.test_id)
        .where(Attempt.id == attempt.id)
    ).one()
    return Claim(
        attempt_id=attempt.id,
        number=attempt.number,
        credential=credential,
        run_id=run_id,
        lease_expires_at=times.lease_expires_at,
        deadline_at=times.deadline_at,
    )


def fingerprint(credential: str) -> str:
    """What is kept of an attempt's credential: its SHA-256, in hexadecimal."""
    return hashlib.sha256(credential.encode()).hexdigest()


def _lease_has_expired(run_id: int) -> bool:
    return bool(
        db.session.scalar(
            select(
                exists().where(
                    RunRecord.test_id == run_id,
                    RunRecord.lease_expires_at.is_not(None),
                    RunRecord.lease_expires_at < utc_now(),
                )
            )
        )
    )


def end_open_attempts(run_id: int, reason: EndReason) -> int | None:
    """End what is still open of a locked run's attempts; the newest one's id."""
    newest: int | None = db.session.scalar(
        select(func.max(Attempt.id)).where(Attempt.test_id == run_id)
    )
    db.session.execute(
        update(Attempt)
        .where(Attempt.test_id == run_id, Attempt.ended_at.is_(None))
        .values(ended_at=utc_now(), end_reason=reason, running_tests=None)
        .execution_options(synchronize_session=False)
    )
    return newest


def _forget_lease(run_id: int) -> None:
    db.session.execute(
        update(RunRecord).where(RunRecord.test_id == run_id).values(lease_expires_at=None)
    )


def _drop_files_without_result(run_id: int) -> None:
    """Outputs of a test whose result never came: the next attempt reports both together."""
    has_result = exists().where(
        Result.test_id == ResultFile.test_id,
        Result.regression_test_id == ResultFile.regression_test_id,
    )
    db.session.execute(
        delete(ResultFile)
        .where(ResultFile.test_id == run_id, ~has_result)
        .execution_options(synchronize_session=False)
    )


def positions(platform: Platform | None) -> Any:
    """The waiting runs (id, platform), numbered from 1 per platform in the queue's order."""
    numbered = joined(
        Run.id.label("run_id"),
        Run.platform.label("platform"),
        func.row_number().over(partition_by=Run.platform, order_by=Run.id).label("position"),
    ).where(is_waiting())
    if platform is not None:
        numbered = numbered.where(Run.platform == platform)
    return numbered.subquery("waiting")
