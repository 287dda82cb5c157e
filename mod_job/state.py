"""The one state machine of a job: every change of a job's state goes through here.

`queued -> running -> ended`; a running job that its runner loses or gives back is queued again. A
change locks the share of the job's account, then the job (`lock`), and is decided under these
locks. All times are the database's: processes with other clocks agree on when a lease has expired.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select

from database import db, execute, utc_now
from mod_job import shares
from mod_job.models import (
    Conclusion,
    Job,
    JobEvent,
    JobLabel,
    JobShare,
    JobState,
    JobTestOutcome,
)
from mod_outbox import outbox
from mod_outbox.models import Event, Webhook

MOST_LOST_ATTEMPTS = 3
# The columns that count a job's tests, by how they ended.
COUNTED = {
    JobTestOutcome.passed: "passed",
    JobTestOutcome.failed: "failed",
    JobTestOutcome.error: "errors",
    JobTestOutcome.skipped: "skipped",
}
TELL = outbox.telling(Event.job_ended, Webhook.account_id == bindparam("account_id"))
NO_TESTS = dict.fromkeys((*COUNTED.values(), "flaky"), 0)


def new_uuid() -> str:
    """A new job's id outside: random, since whoever knows it may not guess others."""
    return str(uuid.uuid4())


def submit(
    account_id: int,
    job_uuid: str,
    *,
    namespace: str,
    spec: Mapping[str, Any],
    source_sha256: str,
    source_bytes: int,
    priority: int,
    most_running: int,
    name: str | None = None,
    labels: Sequence[str] = (),
    retry_of: int | None = None,
    share: JobShare | None = None,
) -> Job:
    """Queue a job whose archive is stored under its uuid. `share`: the account's, if it is locked
    already."""
    share = share or shares.locked(account_id, namespace, most_running=most_running)
    job = Job(
        uuid=job_uuid,
        namespace=namespace,
        account_id=account_id,
        name=name,
        spec=json.dumps(spec, sort_keys=True),
        source_sha256=source_sha256,
        source_bytes=source_bytes,
        state=JobState.queued,
        priority=priority,
        share_tag=shares.tag_for(share),
        is_held=True,
        created_at=database_now(),
        retry_of=retry_of,
    )
    db.session.add(job)
    share.queued += 1
    db.session.flush()
    for label in labels:
        db.session.add(JobLabel(job_id=job.id, label=label))
    note(job, "queued", "Submitted." if retry_of is None else "Submitted again.", by=account_id)
    shares.level(share)
    return job


def lock(job_id: int) -> tuple[Job, JobShare] | None:
    """Lock a job and its account's share until the end of this unit of work; None where it is
    gone."""
    owner = db.session.execute(
        select(Job.account_id, Job.namespace).where(Job.id == job_id)
    ).first()
    if owner is None:
        return None
    share = shares.locked(*owner)
    job = db.session.get(Job, job_id, with_for_update=True, populate_existing=True)
    return None if job is None else (job, share)


def start(job: Job, share: JobShare, *, attempt_id: int, lease: timedelta, runner: str) -> None:
    """Hand a locked, waiting job to an attempt of a runner."""
    moment = database_now()
    job.state = JobState.running
    job.attempts += 1
    job.lease_expires_at = moment + lease
    job.started_at = job.started_at or moment
    share.queued -= 1
    share.running += 1
    shares.advance(job.share_tag)
    note(job, "claimed", f"Attempt {job.attempts}: taken by {runner}.", attempt_id=attempt_id)
    shares.level(share)


def requeue(
    job: Job, share: JobShare, message: str, *, is_lost: bool, attempt_id: int | None
) -> bool:
    """Let a locked, running job wait again; False when that was one loss too many: it has ended.

    It keeps its tag, so that it is among the first.
    """
    if is_lost:
        job.lost_attempts += 1
    if job.lost_attempts >= MOST_LOST_ATTEMPTS:
        why = f"{job.lost_attempts} attempts were lost; the last: {message}"
        end(job, share, Conclusion.error, why=why, attempt_id=attempt_id)
        return False
    job.state = JobState.queued
    job.lease_expires_at = None
    job.is_held = True
    share.running -= 1
    share.queued += 1
    note(job, "requeued", message, attempt_id=attempt_id)
    shares.level(share)
    return True


def end(
    job: Job,
    share: JobShare,
    conclusion: Conclusion,
    *,
    why: str,
    outcome: str | None = None,
    exit_code: int | None = None,
    signal: str | None = None,
    is_report_whole: bool | None = None,
    attempt_id: int | None = None,
    by: int | None = None,
) -> bool:
    """End a locked job unless it has ended already; whether this call did it."""
    if job.state is JobState.ended:
        return False
    if job.state is JobState.queued:
        share.queued -= 1
        if job.attempts == 0:
            shares.give_back(share, job)
    else:
        share.running -= 1
    job.state = JobState.ended
    job.conclusion = conclusion
    job.ended_at = database_now()
    job.lease_expires_at = None
    job.is_held = False
    job.why, job.outcome = why, outcome
    job.exit_code, job.signal = exit_code, signal
    job.is_report_whole = is_report_whole
    note(job, "ended", why, attempt_id=attempt_id, by=by)
    execute(TELL, outbox.message(job.id) | {"account_id": job.account_id})
    shares.level(share)
    return True


def reprioritize(job: Job, share: JobShare, priority: int, *, by: int) -> None:
    """Give a locked, waiting job another priority."""
    note(job, "priority", f"Priority {job.priority} became {priority}.", by=by)
    job.priority = priority
    shares.level(share)


def note(
    job: Job, kind: str, message: str, *, attempt_id: int | None = None, by: int | None = None
) -> None:
    """Append an event to a job."""
    db.session.flush()
    db.session.execute(
        insert(JobEvent).values(
            job_id=job.id,
            kind=kind,
            message=message.encode()[:65_535].decode(errors="ignore"),
            at=utc_now(),
            attempt_id=attempt_id,
            account_id=by,
        )
    )


def database_now() -> datetime:
    """The database's clock."""
    return db.session.execute(select(utc_now())).scalar_one()
