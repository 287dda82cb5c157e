"""Whether the service can serve: each part it depends on is really asked, with a time limit."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import text

from database import db, now
from mod_sample.storage import Repository
from mod_sample.storage import health as storage_health

SECONDS = 1.5
pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")


@dataclass(frozen=True)
class Dependency:
    """One thing the service depends on."""

    name: str
    status: str
    message: str | None


def health(app: Flask, repository: Repository, limiter_storage: Any) -> tuple[dict[str, Any], int]:
    """The state of everything, and the HTTP status: 503 only when the service cannot serve."""
    asked = {"database": pool.submit(_timed, lambda: _ask_database(app))}
    if limiter_storage is not None:
        asked["rate_limits"] = pool.submit(_timed, lambda: _ask_limits(limiter_storage))
    storages = storage_health(repository, SECONDS)
    deadline = time.monotonic() + SECONDS
    found = [_answer(name, future, deadline) for name, future in asked.items()]
    if limiter_storage is None:
        found.append(Dependency("rate_limits", "ok", None))
    found += [
        Dependency(f"storage_{part.name}", part.status.value, part.message) for part in storages
    ]
    down = found[0].status == "down" or all(part.status.value == "down" for part in storages)
    worst = "ok" if all(part.status == "ok" for part in found) else "degraded"
    status = "down" if down else worst
    checked_at: datetime = now()
    answer = {"status": status, "checked_at": checked_at, "dependencies": found}
    return answer, 503 if down else 200


def _answer(name: str, future: "Future[str | None]", deadline: float) -> Dependency:
    try:
        problem = future.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        problem = f"did not answer within {SECONDS:g} s"
    if problem is None:
        return Dependency(name, "ok", None)
    return Dependency(name, "down", problem)


def _timed(ask: Callable[[], None]) -> str | None:
    try:
        ask()
    except Exception as error:  # noqa: BLE001  whatever goes wrong is what is asked for
        return f"does not answer ({type(error).__name__})"
    return None


def _ask_database(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM user LIMIT 1"))


def _ask_limits(storage: Any) -> None:
    if not storage.check():
        raise ConnectionError
