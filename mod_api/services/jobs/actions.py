"""Actions on jobs: cancel, submit again, another priority."""

import json
from dataclasses import dataclass

from sqlalchemy import select

from config import Settings
from database import fetch_values, reading, written
from errors import Conflict, Forbidden, NotFound, Unavailable
from mod_api.services.jobs import jobs
from mod_api.services.jobs.submission import refuse_too_many
from mod_auth import audit, permissions
from mod_auth.accounts import Account
from mod_ci import job_queue
from mod_ci.models import EndReason
from mod_job import shares, state
from mod_job.models import Conclusion, Job, JobLabel, JobShare, JobState
from mod_sample.storage import NotStored, Repository, StorageUnavailable, job_source_key


@dataclass(frozen=True)
class JobAction:
    """The outcome of a cancel or retry."""

    job_id: str
    action: str
    status: str
    message: str
    new_job_id: str | None = None


def cancel(
    job_uuid: str, *, by: Account, settings: Settings, reason: str | None = None
) -> JobAction:
    """End a job that has not ended; canceling one that has is a no-op. Raises NotFound.

    It is final at once: its runner's next call finds out, whether it is alive or not.
    """
    job, share = _locked(job_uuid, by, settings)
    message = f"Canceled by {by.name}" + (f": {reason}" if reason else ".")
    if not state.end(job, share, Conclusion.canceled, why=message, by=by.id):
        return JobAction(job_uuid, "cancel", "no_op", "The job has ended already.")
    job_queue.end_open_attempts(job, EndReason.canceled)
    audit.record("job.canceled", by=by, subject=("job", job.id), job_id=job_uuid, reason=reason)
    return JobAction(job_uuid, "cancel", "accepted", message)


def retry(
    job_uuid: str,
    *,
    by: Account,
    settings: Settings,
    repository: Repository,
    reason: str | None = None,
) -> JobAction:
    """Queue a job again as a new one, with a copy of its archive; the source stays as it is.

    Raises NotFound, RateLimited, Unavailable, and Conflict `not_ended` for a job that goes on.
    """
    with reading():
        job = jobs.find(job_uuid, by, settings)
        labels = fetch_values(select(JobLabel.label).where(JobLabel.job_id == job.id))
    if job.shown_state != JobState.ended.value:
        raise Conflict("Only a job that has ended is submitted again.", "not_ended")
    new_uuid = state.new_uuid()
    try:
        with repository.open(job_source_key(job_uuid)) as archive:
            repository.put(job_source_key(new_uuid), archive)
    except NotStored:
        raise NotFound("job", job_uuid, "The job's archive is not kept any more.") from None
    except StorageUnavailable as error:
        raise Unavailable(f"The archive could not be copied: {error}", retry_after=5) from error

    def work() -> None:
        permissions.refuse_blocked(by)
        share = shares.locked(by.id, job.namespace, most_running=settings.max_running_jobs)
        refuse_too_many(share.queued, settings)
        again = state.submit(
            by.id,
            new_uuid,
            namespace=job.namespace,
            spec=json.loads(job.spec),
            source_sha256=job.source_sha256,
            source_bytes=job.source_bytes,
            priority=job.priority,
            most_running=settings.max_running_jobs,
            name=job.name,
            labels=labels,
            retry_of=job.id,
            share=share,
        )
        told = {"job_id": new_uuid, "of": job_uuid, "reason": reason}
        audit.record("job.retried", by=by, subject=("job", again.id), **told)

    try:
        written(work)
    except BaseException:
        repository.delete(job_source_key(new_uuid))
        raise
    return JobAction(job_uuid, "retry", "accepted", f"Queued again as {new_uuid}.", new_uuid)


def reprioritize(job_uuid: str, priority: int, *, by: Account, settings: Settings) -> None:
    """Give a waiting job another priority: only an admin a better one.

    Raises NotFound, Forbidden, and Conflict `not_queued` for a job that does not wait.
    """
    job, share = _locked(job_uuid, by, settings)
    if job.state is not JobState.queued:
        raise Conflict("Only a job that waits gets another priority.", "not_queued")
    if priority < job.priority and not by.is_admin:
        raise Forbidden("Only an admin may let a job go before others.", priority=job.priority)
    if priority == job.priority:
        return
    audit.record(
        "job.reprioritized", by=by, subject=("job", job.id), job_id=job_uuid, priority=priority
    )
    state.reprioritize(job, share, priority, by=by.id)


def _locked(job_uuid: str, by: Account, settings: Settings) -> tuple[Job, JobShare]:
    found = state.lock(jobs.find(job_uuid, by, settings).id)
    if found is None:
        raise NotFound("job", job_uuid)
    return found
