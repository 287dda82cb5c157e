"""Keeping the logs of ended runs: into the bucket where there is one, with size and hash."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask
from sqlalchemy import exists, select

from config import Settings
from database import db, utc_now, writing
from mod_api.services import log_state
from mod_api.services.log_sources import path_of
from mod_sample.storage import Repository, copy_missing, log_key
from mod_test.logs import append, watching
from mod_test.models import Progress, Run, RunLog, RunRecord, TestStatus
from mod_test.rollup.settle import settled_reading

log = structlog.get_logger("logs")
pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="log-archive")
AT_ONCE = 500


def keep_later(app: Flask, run_id: int) -> None:
    """Keep a run's log in the background; what is missed, `flask logs keep` makes good."""
    pool.submit(_keep_logged, app, run_id)


def keep(run_id: int, *, settings: Settings, repository: Repository) -> bool:
    """Keep the log of a run whose log is final; whether it did.

    The file stays in the folder. Raises what the storage and the database raise.
    """
    with settled_reading():
        known = log_state.states([run_id]).get(run_id)
    path = path_of(settings, run_id)
    if known is None or not known.is_final or not append.settle(path):
        return False
    watching.forget(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    if len(repository.backends()) > 1:
        report = copy_missing(repository, [log_key(run_id)])
        if report.failed:
            return False
    with writing():
        db.session.merge(RunLog(test_id=run_id, size=size, sha256=digest, kept_at=utc_now()))
    return True


def keep_all(*, settings: Settings, repository: Repository) -> int:
    """Keep what was missed of the runs that our runners executed; how many logs there were."""
    ended = exists().where(
        Progress.test_id == Run.id,
        Progress.status.in_([TestStatus.completed, TestStatus.canceled]),
    )
    kept = exists().where(RunLog.test_id == Run.id)
    with settled_reading():
        missed = db.session.scalars(
            select(Run.id)
            .join(RunRecord, RunRecord.test_id == Run.id)
            .where(RunRecord.attempts > 0, ended, ~kept)
            .order_by(Run.id.desc())
            .limit(AT_ONCE)
        ).all()
    return sum(keep(run_id, settings=settings, repository=repository) for run_id in missed)


def _keep_logged(app: Flask, run_id: int) -> None:
    with app.app_context():
        try:
            keep(
                run_id,
                settings=app.extensions["settings"],
                repository=app.extensions["repository"],
            )
        except Exception:
            log.exception("log_not_kept", run_id=run_id)
