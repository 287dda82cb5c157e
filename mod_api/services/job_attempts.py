"""Requests of attempts at jobs, as `attempts` for runs: the same calls, by the same names."""

import functools
import json
import re
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Engine

from config import Settings
from database import db, reading, written
from errors import Invalid, Unavailable
from mod_api.services.attempts import MOST_APPENDED, Answer, append, log_interval_ms, refuse
from mod_api.services.logs.log_sources import path_of
from mod_auth.tokens import Caller
from mod_ci import job_attempts, job_queue, queue
from mod_ci.attempts import LeaseState
from mod_ci.job_attempts import JobCredential
from mod_ci.models import EndReason, JobStage
from mod_job.conclusions import CommandOutcome
from mod_sample.storage import (
    Readable,
    Repository,
    StorageUnavailable,
    job_artifact_key,
    job_source_key,
)
from mod_test.logs import append as log_append

GLANCE_SECONDS = 0.1
MOST_SEEN = 32
LONGEST_NAME = 1024
CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


def claim(by: Caller, settings: Settings, api: str, *, runner_name: str) -> dict[str, Any] | None:
    """The next job with all that its runner needs; None where none waits, or jobs are off.

    Raises Unauthorized and Forbidden as the caller's token reads now.
    """
    if not settings.jobs:
        with reading():
            queue.make_sure_of(by)
        return None
    claimed = job_queue.claim(
        runner_name,
        caller=by,
        namespace=settings.ci_container_prefix,
        lease_seconds=settings.lease_seconds,
        time_limit=settings.job_time_limit,
    )
    if claimed is None:
        return None
    job = claimed.job
    try:
        log_offset = log_append.settle(path_of(settings, job.uuid))
    except OSError as error:
        hold = job_attempts.authenticate_claimed(claimed)
        written(functools.partial(job_attempts.finish, hold, EndReason.runner_shutdown))
        raise Unavailable("The job's files cannot be reached.", retry_after=5) from error
    return {
        "kind": "job",
        "attempt_id": claimed.attempt_id,
        "number": claimed.number,
        "credential": claimed.credential,
        "lease": {"seconds": settings.lease_seconds, "expires_at": claimed.lease_expires_at},
        "deadline_at": claimed.deadline_at,
        "log_offset": log_offset,
        "log_interval_ms": log_interval_ms(settings, job.uuid),
        "job": {
            **json.loads(job.spec),
            "job_id": job.uuid,
            "namespace": job.namespace,
            "name": job.name,
        },
        "source": {
            "url": f"{api}/attempts/{claimed.attempt_id}/source",
            "sha256": job.source_sha256,
            "size_bytes": job.source_bytes,
        },
        "job_limits": {
            "time_ms": settings.job_time_limit * 1000,
            "memory_bytes": settings.job_memory_limit,
            "max_upload_bytes": settings.max_upload,
        },
    }


class Glance:
    """The last look at a queue of jobs, shared by all requests of this process that wait.

    However many wait, the database is asked ten times a second; of the jobs that were seen each
    waiter is sent to claim one, so that thirty-two do not run for the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._left = 0

    def take(self, namespace: str) -> bool:
        """Return whether a claim may find a job that no other waiter was sent for."""
        with self._lock:
            if time.monotonic() >= self._until:
                with reading():
                    self._left = job_queue.count_waiting(namespace, MOST_SEEN)
                self._until = time.monotonic() + GLANCE_SECONDS
            self._left -= 1
            return self._left >= 0


_glances: "weakref.WeakKeyDictionary[Engine, Glance]" = weakref.WeakKeyDictionary()


def some_wait(settings: Settings) -> bool:
    """Return whether a claim may find a job."""
    glance = _glances.setdefault(db.engine, Glance())
    return settings.jobs and glance.take(settings.ci_container_prefix)


def heartbeat(
    hold: JobCredential,
    *,
    settings: Settings,
    stage: str | None = None,
    message: str | None = None,
    **told: Any,
) -> Answer:
    """Renew the lease. Raises Conflict `lease_lost` or `job_ended`, Invalid for what is a run's."""
    tells_test = "running_test" in told
    running_test = told.pop("running_test", None)
    refuse(told, "run")
    if stage is not None and stage not in set(JobStage):
        raise Invalid.fields(stage="Is no stage of a job.")
    lease = job_attempts.heartbeat(
        hold,
        lease_seconds=settings.lease_seconds,
        stage=JobStage(stage) if stage else None,
        message=message,
        running_test=running_test,
        tells_test=tells_test,
    )
    return _answer(lease, settings, hold)


def append_log(hold: JobCredential, offset: int, data: bytes, *, settings: Settings) -> Answer:
    """Append to the job's log. Raises Conflict, Invalid, OffsetMismatch, Unavailable."""
    if len(data) > MOST_APPENDED:
        raise Invalid.fields(body=f"At most {MOST_APPENDED} bytes are taken at once.")
    with reading():
        lease = job_attempts.check_for_log(hold, settings.lease_seconds)
    appended = append(settings, hold.job_uuid, offset, data)
    if lease.is_beat_due:
        lease = written(lambda: job_attempts.heartbeat(hold, lease_seconds=settings.lease_seconds))
    answer = _answer(lease, settings, hold)
    return Answer(
        answer.canceled, answer.lease, answer.log_interval_ms, appended.offset, appended.full
    )


def keep_tests(
    hold: JobCredential, tests: Sequence[Mapping[str, Any]], *, settings: Settings
) -> Answer:
    """Keep what tests came to. Raises Conflict, Invalid."""
    numbers = [test["number"] for test in tests]
    if len(set(numbers)) != len(numbers):
        raise Invalid.fields(tests="A number is there twice.")
    return _answer(
        job_attempts.keep_tests(hold, tests, lease_seconds=settings.lease_seconds), settings, hold
    )


def keep_file(
    hold: JobCredential,
    name: str,
    stream: Readable,
    *,
    settings: Settings,
    repository: Repository,
) -> Answer:
    """Keep a file that the job left behind; another one of its name replaces it.

    Raises Conflict, Invalid for a name that leads elsewhere, TooLarge, Unavailable.
    """
    _check_name(name)
    with reading():
        job_attempts.check_for_log(hold, settings.lease_seconds)
    try:
        with repository.receive(stream, job_attempts.MOST_FILE_BYTES) as received:
            sha256, size = received.sha256, received.size
            repository.keep(received, job_artifact_key(hold.job_uuid, hold.number, sha256))
    except StorageUnavailable as error:
        raise Unavailable(f"The file could not be stored: {error}", retry_after=5) from error
    lease = written(
        lambda: job_attempts.keep_file(
            hold, name, size=size, sha256=sha256, lease_seconds=settings.lease_seconds
        )
    )
    return _answer(lease, settings, hold)


def keep_reports(
    hold: JobCredential,
    *,
    settings: Settings,
    reports: Sequence[Mapping[str, Any]],
    coverage: Sequence[Mapping[str, Any]],
) -> Answer:
    """Note which files were read as reports, and the coverage they told. Raises Conflict."""
    names = [file["file"] for file in coverage]
    if len(set(names)) != len(names):
        raise Invalid.fields(coverage="A file is there twice.")
    lease = job_attempts.keep_reports(hold, reports, coverage, lease_seconds=settings.lease_seconds)
    return _answer(lease, settings, hold)


def finish(
    hold: JobCredential,
    *,
    settings: Settings,
    reason: str,
    type: str | None = None,
    message: str | None = None,
    stack: list[str] | None = None,
    outcome: str | None = None,
    exit_code: int | None = None,
    signal: str | None = None,
    is_report_whole: bool | None = None,
) -> Answer:
    """End the attempt. Raises Conflict `lease_lost` or `job_ended`, Invalid."""
    why = EndReason(reason)
    if why is EndReason.completed and outcome is None:
        raise Invalid.fields(outcome="Is needed of a completed job.")
    if why is not EndReason.completed and outcome is not None:
        raise Invalid.fields(outcome="Is told of a completed job only.")
    if outcome == CommandOutcome.exited and exit_code is None:
        raise Invalid.fields(exit_code="Is needed of a command that exited.")
    lease = job_attempts.finish(
        hold,
        why,
        outcome=CommandOutcome(outcome) if outcome else None,
        exit_code=exit_code,
        signal=signal,
        is_report_whole=is_report_whole,
        message=message,
        error_type=type,
        stack=json.dumps(stack) if stack else None,
    )
    return _answer(lease, settings, hold)


def source_key(hold: JobCredential) -> str:
    """The name of the job's archive in the storage."""
    return job_source_key(hold.job_uuid)


def _answer(lease: LeaseState, settings: Settings, hold: JobCredential) -> Answer:
    shown = {"seconds": settings.lease_seconds, "expires_at": lease.lease_expires_at}
    return Answer(lease.canceled, shown, log_interval_ms(settings, hold.job_uuid))


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    is_safe = (
        0 < len(name.encode()) <= LONGEST_NAME
        and not CONTROL.search(name)
        and not name.startswith("/")
        and "/".join(parts) == name
        and not {".", ".."} & set(parts)
    )
    if not is_safe:
        raise Invalid.fields(name="Must be the path of a file below the project.")
