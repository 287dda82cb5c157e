"""An attempt at a job: what a runner that holds its lease reports, as `attempts` for runs.

What changes the job happens under the locks of its account's share and of its row, where it is
decided once whether the lease is still held.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from database import db, fetch, fetch_first, keep, utc_now
from errors import Conflict, Invalid, Unauthorized
from mod_ci import job_queue
from mod_ci.attempts import LOG_GRACE_SECONDS, NOT_VALID, LeaseState
from mod_ci.models import EndReason, JobAttempt, JobStage
from mod_ci.queue import fingerprint
from mod_job import conclusions, state
from mod_job.conclusions import CommandOutcome
from mod_job.models import (
    Conclusion,
    Job,
    JobArtifact,
    JobCoverage,
    JobShare,
    JobState,
    JobTest,
    JobTestOutcome,
)

CREDENTIAL_PREFIX = "spcj_"
MOST_FILES = 200
MOST_FILE_BYTES = 100 * 1024 * 1024
MOST_TESTS = 100_000
STAGE_MESSAGES = {
    JobStage.unpack: "Unpacking the archive.",
    JobStage.install: "Installing the requirements.",
    JobStage.test: "Running the tests.",
    JobStage.collect: "Collecting what the job left behind.",
    JobStage.finish: "Finishing.",
}
GIVES_BACK = {EndReason.runner_shutdown}
LOSES = {EndReason.resource_unavailable, EndReason.internal_error, EndReason.build_failed}


@dataclass(frozen=True)
class JobCredential:
    """A credential that was shown, and its attempt; whether the lease is held is checked later."""

    attempt_id: int
    number: int
    job_id: int
    job_uuid: str
    runner_name: str
    credential_hash: str = field(repr=False)


def authenticate(attempt_id: Any, credential: str) -> JobCredential | None:
    """The attempt that this credential opens, or None."""
    if not isinstance(attempt_id, int):
        return None
    row = fetch_first(
        select(
            JobAttempt.id,
            JobAttempt.number,
            JobAttempt.job_id,
            Job.uuid,
            JobAttempt.runner_name,
            JobAttempt.credential_hash,
        )
        .join(Job, Job.id == JobAttempt.job_id)
        .where(JobAttempt.id == attempt_id)
    )
    if row is None or not hmac.compare_digest(row.credential_hash, fingerprint(credential)):
        return None
    return JobCredential(*row)


def authenticate_claimed(claim: job_queue.JobClaim) -> JobCredential:
    """The credential of an attempt that has just been claimed."""
    return JobCredential(
        claim.attempt_id,
        claim.number,
        claim.job.id,
        claim.job.uuid,
        "the server",
        fingerprint(claim.credential),
    )


def heartbeat(
    hold: JobCredential,
    *,
    lease_seconds: int,
    stage: JobStage | None = None,
    message: str | None = None,
    running_test: str | None = None,
    tells_test: bool = False,
) -> LeaseState:
    """Renew the lease; note the stage and, where `tells_test`, the test that runs now.

    A job that was canceled answers `canceled`. Raises Conflict `lease_lost` or `job_ended`.
    """
    held = _lock(hold, canceled_is_an_answer=True)
    if held is None:
        return LeaseState(canceled=True, lease_expires_at=None)
    job, attempt = held
    if tells_test:
        attempt.running_test = running_test
    if stage is not None and (attempt.stage is None or attempt.stage.step < stage.step):
        attempt.stage = stage
        state.note(job, "stage", message or STAGE_MESSAGES[stage], attempt_id=attempt.id)
    return _renew(job, lease_seconds)


def check_for_log(hold: JobCredential, lease_seconds: int) -> LeaseState:
    """Return whether this attempt may append to the log: one plain read, no lock, no write.

    After an end that came from elsewhere the attempt that was current may go on for 60 s. Raises
    Conflict `lease_lost` or `job_ended`, and Unauthorized.
    """
    row = fetch_first(
        select(
            Job.state,
            Job.conclusion,
            Job.attempts,
            Job.lease_expires_at,
            Job.ended_at,
            JobAttempt.end_reason,
            JobAttempt.credential_hash,
            utc_now().label("now"),
        )
        .join(Job, Job.id == JobAttempt.job_id)
        .where(JobAttempt.id == hold.attempt_id)
    )
    if row is None or row.credential_hash != hold.credential_hash:
        raise Unauthorized(NOT_VALID)
    if row.attempts != hold.number or row.state is JobState.queued:
        raise _lost()
    if row.state is JobState.ended:
        by_others = row.end_reason in (None, EndReason.canceled, EndReason.deadline_exceeded)
        if not by_others or row.ended_at < row.now - timedelta(seconds=LOG_GRACE_SECONDS):
            raise _ended(row.conclusion)
        return LeaseState(row.conclusion is Conclusion.canceled, None)
    if row.lease_expires_at is None or row.lease_expires_at < row.now:
        raise _lost()
    used = row.now + timedelta(seconds=lease_seconds) - row.lease_expires_at
    is_used_up = used > timedelta(seconds=max(1, lease_seconds // 4))
    return LeaseState(False, row.lease_expires_at, is_beat_due=is_used_up)


def keep_tests(
    hold: JobCredential, tests: Sequence[Mapping[str, Any]], *, lease_seconds: int
) -> LeaseState:
    """Keep what these tests came to; a number that is told again replaces what was told.

    Raises Conflict, and Invalid for more tests than are taken.
    """
    job, attempt = _held(hold)
    numbers = [test["number"] for test in tests]
    if numbers and max(numbers) > MOST_TESTS:
        raise Invalid.fields(tests=f"At most {MOST_TESTS} tests are taken.")
    of_attempt = (JobTest.job_id == job.id, JobTest.attempt == attempt.number)
    replaced = db.session.execute(delete(JobTest).where(*of_attempt, JobTest.number.in_(numbers)))
    if tests:
        rows = [{"job_id": job.id, "attempt": attempt.number, **test} for test in tests]
        db.session.execute(insert(JobTest), rows)
    if replaced.rowcount:  # type: ignore[attr-defined]  # a DELETE's
        _count_anew(job, attempt)
    else:
        for test in tests:
            _count(job, JobTestOutcome(test["outcome"]), bool(test.get("is_flaky")))
    return _renew(job, lease_seconds)


def _count(job: Job, outcome: JobTestOutcome, is_flaky: bool, number: int = 1) -> None:
    name = state.COUNTED.get(outcome)
    if name is not None:
        setattr(job, name, getattr(job, name) + number)
    if is_flaky:
        job.flaky += number


def _count_anew(job: Job, attempt: JobAttempt) -> None:
    for name, zero in state.NO_TESTS.items():
        setattr(job, name, zero)
    for outcome, is_flaky, number in fetch(
        select(JobTest.outcome, JobTest.is_flaky, func.count())
        .where(JobTest.job_id == job.id, JobTest.attempt == attempt.number)
        .group_by(JobTest.outcome, JobTest.is_flaky)
    ):
        _count(job, outcome, is_flaky, number)


def keep_file(
    hold: JobCredential, name: str, *, size: int, sha256: str, lease_seconds: int
) -> LeaseState:
    """Write down a file that is stored by its content. Raises Conflict, and Invalid beyond 200
    files or 100 MiB."""
    job, attempt = _held(hold)
    of_attempt = (JobArtifact.job_id == job.id, JobArtifact.attempt == attempt.number)
    name_hash = hashlib.sha256(name.encode()).hexdigest()
    db.session.execute(delete(JobArtifact).where(*of_attempt, JobArtifact.name_hash == name_hash))
    count, total = db.session.execute(
        select(func.count(), func.coalesce(func.sum(JobArtifact.size), 0)).where(*of_attempt)
    ).one()
    if count >= MOST_FILES or int(total) + size > MOST_FILE_BYTES:
        raise Invalid.fields(
            file=f"At most {MOST_FILES} files and {MOST_FILE_BYTES} bytes are kept of an attempt."
        )
    db.session.add(
        JobArtifact(
            job_id=job.id,
            attempt=attempt.number,
            name=name,
            name_hash=name_hash,
            size=size,
            sha256=sha256,
        )
    )
    return _renew(job, lease_seconds)


def keep_reports(
    hold: JobCredential,
    reports: Sequence[Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
    *,
    lease_seconds: int,
) -> LeaseState:
    """Write down which files were read as reports, and how much of which file was covered."""
    job, attempt = _held(hold)
    for report in reports:
        name_hash = hashlib.sha256(report["name"].encode()).hexdigest()
        db.session.execute(
            update(JobArtifact)
            .where(
                JobArtifact.job_id == job.id,
                JobArtifact.attempt == attempt.number,
                JobArtifact.name_hash == name_hash,
            )
            .values(kind=report["kind"], error=report.get("error"), cut=report.get("cut"))
        )
    db.session.execute(
        delete(JobCoverage).where(
            JobCoverage.job_id == job.id, JobCoverage.attempt == attempt.number
        )
    )
    rows = [
        {
            "job_id": job.id,
            "attempt": attempt.number,
            "file_hash": hashlib.sha256(file["file"].encode()).hexdigest(),
            **file,
        }
        for file in coverage
    ]
    if rows:
        db.session.execute(insert(JobCoverage), rows)
    return _renew(job, lease_seconds)


def finish(
    hold: JobCredential,
    reason: EndReason,
    *,
    outcome: CommandOutcome | None = None,
    exit_code: int | None = None,
    signal: str | None = None,
    is_report_whole: bool | None = None,
    message: str | None = None,
    error_type: str | None = None,
    stack: str | None = None,
) -> LeaseState:
    """End the attempt: the job ends as its command did, or it waits for another attempt.

    Finishing twice with the same reason is harmless. Raises Conflict `lease_lost` or `job_ended`.
    """
    found, attempt = state.lock(hold.job_id), _attempt(hold)
    if attempt.end_reason is reason:
        return LeaseState(False, None)
    if found is None:
        raise Unauthorized(NOT_VALID)
    job, share = found
    _decide(hold, job, attempt, share)
    attempt.error_type, attempt.error_stack = error_type, stack
    job_queue.close(job, attempt, reason, message=message)
    if reason is EndReason.completed and outcome is not None:
        conclusion, why = conclusions.decide(
            outcome,
            exit_code=exit_code,
            signal=signal,
            is_report_whole=is_report_whole,
            message=message,
        )
        state.end(
            job, share, conclusion, why=why, outcome=outcome.value, exit_code=exit_code,
            signal=signal, is_report_whole=is_report_whole, attempt_id=attempt.id,
        )  # fmt: skip
    elif reason is EndReason.deadline_exceeded:
        _end_late(job, share, attempt)
    else:
        is_lost = reason is not EndReason.runner_shutdown
        told = message or f"{hold.runner_name} gave it back ({reason.value})."
        state.requeue(job, share, told, is_lost=is_lost, attempt_id=attempt.id)
    return LeaseState(False, None)


def _held(hold: JobCredential) -> tuple[Job, JobAttempt]:
    held = _lock(hold)
    if held is None:
        raise AssertionError("unreachable: canceled is no answer here")
    return held


def _lock(
    hold: JobCredential, *, canceled_is_an_answer: bool = False
) -> tuple[Job, JobAttempt] | None:
    """Lock the job's row and make sure that this attempt holds it; as `_decide`, which decides.

    Only what ends a job needs the share of its account, too, which is locked before the job.
    """
    attempt = _attempt(hold)
    share = None
    if attempt.deadline_at < state.database_now():
        found = state.lock(hold.job_id)
        job, share = found if found is not None else (None, None)
    else:
        job = db.session.get(Job, hold.job_id, with_for_update=True, populate_existing=True)
    if job is None:
        raise Unauthorized(NOT_VALID)
    # It may have been ended while the job's lock was waited for.
    db.session.refresh(attempt)
    is_held = _decide(hold, job, attempt, share, canceled_is_an_answer=canceled_is_an_answer)
    return (job, attempt) if is_held else None


def _attempt(hold: JobCredential) -> JobAttempt:
    """The attempt's row. Raises Unauthorized where the credential does not open it any more."""
    attempt = db.session.get(JobAttempt, hold.attempt_id, populate_existing=True)
    if attempt is None or not hmac.compare_digest(attempt.credential_hash, hold.credential_hash):
        raise Unauthorized(NOT_VALID)
    return attempt


def _decide(
    hold: JobCredential,
    job: Job,
    attempt: JobAttempt,
    share: JobShare | None,
    *,
    canceled_is_an_answer: bool = False,
) -> bool:
    """Return whether this attempt holds the locked job.

    False when it was canceled, and that is an answer. A job past its deadline is ended, where its
    `share` is locked, too. Raises Conflict `lease_lost` or `job_ended`.
    """
    moment = state.database_now()
    if job.attempts != hold.number or job.state is JobState.queued:
        raise _lost()
    if job.state is JobState.ended:
        if attempt.end_reason in (EndReason.lease_expired, EndReason.runner_shutdown):
            raise _lost()
        if job.conclusion is Conclusion.canceled and canceled_is_an_answer:
            return False
        raise _ended(job.conclusion)
    if job.lease_expires_at is None or job.lease_expires_at < moment:
        raise _lost()
    if share is not None and attempt.deadline_at < moment:
        job_queue.close(job, attempt, EndReason.deadline_exceeded)
        _end_late(job, share, attempt)
        # The refusal that follows rolls this unit of work back; the job's end must outlive it.
        keep()
        if canceled_is_an_answer:
            return False
        raise _ended(job.conclusion)
    return True


def _renew(job: Job, lease_seconds: int) -> LeaseState:
    job.lease_expires_at = state.database_now() + timedelta(seconds=lease_seconds)
    db.session.flush()
    return LeaseState(canceled=False, lease_expires_at=job.lease_expires_at)


def _end_late(job: Job, share: JobShare, attempt: JobAttempt) -> None:
    why = "The job took longer than a job may and was ended."
    state.end(
        job, share, Conclusion.timed_out, why=why, outcome="time_limit", attempt_id=attempt.id
    )


def _lost() -> Conflict:
    return Conflict("The lease was lost: this attempt no longer holds the job.", "lease_lost")


def _ended(conclusion: Conclusion | None) -> Conflict:
    told = conclusion.value if conclusion else "ended"
    return Conflict(
        f"The job has ended ({told}).", "job_ended", canceled=conclusion is Conclusion.canceled
    )
