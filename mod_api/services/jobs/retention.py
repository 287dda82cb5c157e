"""Ended jobs that were kept long enough are removed, with their files."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from config import Settings
from database import db, fetch, now, reading, written
from mod_api.services.logs import log_sources
from mod_job.models import Job, JobArtifact, JobState
from mod_sample.storage import Repository, job_artifact_key, job_log_key, job_source_key
from mod_test.logs import index

AT_ONCE = 100


def expire(settings: Settings, repository: Repository) -> int:
    """Remove the ended jobs of this server that are older than JOB_RETENTION; returns how many.

    A job's files go before its rows, so that a removal that is broken off is completed by the next
    one. Raises StorageUnavailable.
    """
    before = now() - timedelta(days=settings.job_retention)
    old = (
        select(Job.id, Job.uuid)
        .where(
            Job.namespace == settings.ci_container_prefix,
            # No job ends before it was submitted: this bounds what is read of the index.
            Job.created_at < before,
            Job.state == JobState.ended,
            Job.ended_at < before,
        )
        .order_by(Job.created_at, Job.id)
        .limit(AT_ONCE)
    )
    count = 0
    while True:
        with reading():
            found = fetch(old)
        for job in found:
            _remove(job, settings, repository)
        count += len(found)
        if len(found) < AT_ONCE:
            return count


def _remove(job: Any, settings: Settings, repository: Repository) -> None:
    with reading():
        artifacts = fetch(
            select(JobArtifact.attempt, JobArtifact.sha256)
            .where(JobArtifact.job_id == job.id)
            .distinct()
        )
    for artifact in artifacts:
        repository.delete(job_artifact_key(job.uuid, artifact.attempt, artifact.sha256))
    index.path_of(log_sources.path_of(settings, job.uuid)).unlink(missing_ok=True)
    repository.delete(job_log_key(job.uuid))
    repository.delete(job_source_key(job.uuid))
    # Its other rows go with it, by their foreign keys.
    written(lambda: db.session.execute(delete(Job).where(Job.id == job.id)))
