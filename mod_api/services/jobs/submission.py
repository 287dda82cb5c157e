"""Submitting a project: its archive is stored, checked and queued, by either surface."""

import functools
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from config import Settings
from database import fetch_first, reading, written
from errors import Forbidden, Invalid, RateLimited, Unavailable, Unprocessable
from mod_api.services import idempotency
from mod_auth import audit, permissions
from mod_auth.accounts import Account
from mod_ci.runner import archives
from mod_ci.runner.archives import UnsafeArchive
from mod_job import shares, state
from mod_job.models import USUAL_PRIORITY, Job
from mod_sample.storage import Readable, Repository, StorageUnavailable, job_source_key

SCAN_SECONDS = 60
# A command that scans archives says so by ending with 1 (clamdscan's manual, "RETURN CODES").
REFUSES = 1


@dataclass(frozen=True)
class Wish:
    """What a submission asks for; `spec` are the settings that the runner reads."""

    name: str | None = None
    priority: int = USUAL_PRIORITY
    labels: tuple[str, ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)


def submit(
    by: Account,
    stream: Readable,
    wish: Wish,
    *,
    settings: Settings,
    repository: Repository,
    idempotency_key: str | None = None,
) -> str:
    """Queue a project's tests; returns the uuid of the job.

    The archive is in place before the rows that name it. Raises Forbidden, Invalid for what no job
    may have, TooLarge through the storage, Unprocessable `unsafe_archive` or `archive_refused`,
    RateLimited `too_many_queued`, Conflict and Unprocessable of an idempotency key, Unavailable.
    """
    if not permissions.may_submit(by):
        raise Forbidden("This account's role may not submit jobs.", role=by.role.value)
    _check_wish(wish, settings)
    try:
        with repository.receive(stream, settings.max_job_upload) as received:
            if received.size == 0:
                raise Invalid.fields(file="The file is empty, or the upload was cut.")
            body = {"sha256": received.sha256, "name": wish.name, "priority": wish.priority,
                    "labels": wish.labels, "spec": wish.spec}  # fmt: skip
            with idempotency.taken(by.id, idempotency_key, body) as key:
                if key is not None and key.job_id is not None:
                    return _uuid_of(key.job_id)
                _check_archive(received.path, settings)
                uuid = state.new_uuid()
                repository.keep(received, job_source_key(uuid))
                try:
                    return written(
                        functools.partial(
                            _queue, by, uuid, wish, settings, received.sha256, received.size, key
                        )
                    )
                except BaseException:
                    repository.delete(job_source_key(uuid))
                    raise
    except StorageUnavailable as error:
        raise Unavailable(f"The archive could not be stored: {error}", retry_after=5) from error


def _queue(
    by: Account,
    uuid: str,
    wish: Wish,
    settings: Settings,
    sha256: str,
    size: int,
    key: idempotency.Taken | None,
) -> str:
    permissions.refuse_blocked(by)
    namespace = settings.ci_container_prefix
    share = shares.locked(by.id, namespace, most_running=settings.max_running_jobs)
    refuse_too_many(share.queued, settings)
    job = state.submit(
        by.id,
        uuid,
        namespace=namespace,
        spec=wish.spec,
        source_sha256=sha256,
        source_bytes=size,
        priority=wish.priority,
        most_running=settings.max_running_jobs,
        name=wish.name,
        labels=wish.labels,
        share=share,
    )
    if key is not None:
        key.answered_with(job_id=job.id)
    audit.record("job.submitted", by=by, subject=("job", job.id), job_id=uuid)
    return uuid


def refuse_too_many(queued: int, settings: Settings) -> None:
    """Raises RateLimited where an account has as many jobs waiting as it may."""
    if queued >= settings.max_queued_jobs:
        raise RateLimited(
            f"{queued} jobs of this account wait already.",
            "too_many_queued",
            retry_after=30,
            limit=settings.max_queued_jobs,
        )


def _check_wish(wish: Wish, settings: Settings) -> None:
    most = {
        "timeout_s": settings.job_time_limit,
        "memory_mib": settings.job_memory_limit // (1024 * 1024),
    }
    too_much = {
        f"job.{name}": f"At most {limit}."
        for name, limit in most.items()
        if (wish.spec.get(name) or 0) > limit
    }
    if too_much:
        raise Invalid.fields(**too_much)


def _check_archive(path: Path, settings: Settings) -> None:
    """Raises Unprocessable for an archive that is not safe to unpack, or that a scanner refuses."""
    try:
        archives.check(path)
    except UnsafeArchive as error:
        raise Unprocessable(
            str(error), "unsafe_archive", entry=error.entry, rule=error.rule
        ) from None
    if settings.job_scan is None:
        return
    try:
        done = subprocess.run(  # noqa: S603  the operator's own command
            [*shlex.split(settings.job_scan), str(path)],
            capture_output=True,
            timeout=SCAN_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"The archive could not be scanned: {error}", retry_after=30) from error
    if done.returncode == REFUSES:
        raise Unprocessable("The scanner refuses this archive.", "archive_refused")
    if done.returncode != 0:
        raise Unavailable(
            f"The archive could not be scanned: the scanner ended with {done.returncode}.",
            retry_after=30,
        )


def _uuid_of(job_id: int) -> str:
    with reading():
        row = fetch_first(select(Job.uuid).where(Job.id == job_id))
    if row is None:
        raise Unprocessable("The job of this Idempotency-Key is gone.", "idempotency_key_reused")
    uuid: str = row.uuid
    return uuid
