"""Keeping the logs of ended runs: into the bucket where there is one, with size and hash."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask
from sqlalchemy import exists, select

from config import Settings
from database import db, log_failure, utc_now, writing
from mod_api.services.logs import log_state
from mod_api.services.logs.log_sources import path_of
from mod_sample.storage import Repository, copy_missing, log_key
from mod_test.logs import append, follower_marker
from mod_test.models import Progress, Run, RunLog, RunRecord, TestStatus
from mod_test.rollup.settle import settled_reading

log = structlog.get_logger("logs")
pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-archive")
AT_ONCE = 500


def keep_later(app: Flask, run_id: int) -> None:
    """Keep a run's log in the background; what is missed, `flask logs keep` makes good."""
    pool.submit(_keep_in, app, run_id)


def keep(run_id: int, *, settings: Settings, repository: Repository) -> bool:
    """Keep the log of a run whose log is final; whether it did.

    The file stays in the folder. Raises what the storage and the database raise.
    """
    with settled_reading():
        known = log_state.states([run_id]).get(run_id)
    path = path_of(settings, run_id)
    if known is None or not known.is_final or not append.settle(path):
        return False
    follower_marker.forget(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    if len(repository.backends()) > 1:
        report = copy_missing(repository, [log_key(run_id)])
        if report.failed:
            log.warning("log_not_kept", run_id=run_id, reason=report.failed[log_key(run_id)])
            return False
    with writing():
        db.session.merge(RunLog(test_id=run_id, size=size, sha256=digest, kept_at=utc_now()))
    return True


def keep_all(*, settings: Settings, repository: Repository) -> int:
    """Keep what was missed of the runs that our runners executed; how many logs there were.

    One that cannot be kept is noted, and tried again the next time.
    """
    count = 0
    after = 0
    while missed := _missed(after):
        count += sum(
            _keep_noted(run_id, settings=settings, repository=repository) for run_id in missed
        )
        after = missed[-1]
    return count


def _missed(after: int) -> Sequence[int]:
    """The next ended runs of which no log is kept; those that have none stay among them."""
    ended = exists().where(
        Progress.test_id == Run.id,
        Progress.status.in_([TestStatus.completed, TestStatus.canceled]),
    )
    kept = exists().where(RunLog.test_id == Run.id)
    with settled_reading():
        return db.session.scalars(
            select(Run.id)
            .join(RunRecord, RunRecord.test_id == Run.id)
            .where(Run.id > after, RunRecord.attempts > 0, ended, ~kept)
            .order_by(Run.id)
            .limit(AT_ONCE)
        ).all()


def _keep_noted(run_id: int, *, settings: Settings, repository: Repository) -> bool:
    try:
        return keep(run_id, settings=settings, repository=repository)
    except Exception as error:  # noqa: BLE001  whatever it is, the logs of other runs are kept
        log_failure(log, "log_not_kept", error, run_id=run_id)
        return False


def _keep_in(app: Flask, run_id: int) -> None:
    with app.app_context():
        _keep_noted(
            run_id,
            settings=app.extensions["settings"],
            repository=app.extensions["repository"],
        )
