"""Whether the service can serve: each part it depends on is really asked, with a time limit."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import text

from database import db, now
from mod_api.services.system.probe import Probe
from mod_auth.counters import Store
from mod_sample.storage import Repository
from mod_sample.storage import health as storage_health

SECONDS = 1.5
Problem = str | None
Probes = Mapping[str, Probe[Problem]]


@dataclass(frozen=True)
class Dependency:
    """One thing the service depends on."""

    name: str
    status: str
    message: str | None


def probes(app: Flask, limit_store: Store | None) -> Probes:
    """Return the probes of the database and of the store of limits (None with all limits off)."""
    return {
        "database": _probe("database", lambda: _ask_database(app)),
        "rate_limits": _probe("rate_limits", lambda: _ask_limits(limit_store)),
    }


def health(repository: Repository, probes: Probes) -> tuple[dict[str, Any], int]:
    """The state of everything, and the HTTP status: 503 only when the service cannot serve."""
    deadline = time.monotonic() + SECONDS
    asked = {name: probe.begin() for name, probe in probes.items()}
    storages = storage_health(repository, SECONDS)
    found = [_answer(name, future, deadline) for name, future in asked.items()]
    found += [
        Dependency(f"storage_{part.name}", part.status.value, part.message) for part in storages
    ]
    down = found[0].status == "down" or all(part.status.value == "down" for part in storages)
    worst = "ok" if all(part.status == "ok" for part in found) else "degraded"
    status = "down" if down else worst
    checked_at: datetime = now()
    answer = {"status": status, "checked_at": checked_at, "dependencies": found}
    return answer, 503 if down else 200


def _answer(name: str, future: Future[Problem], deadline: float) -> Dependency:
    try:
        problem = future.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        problem = f"did not answer within {SECONDS:g} s"
    if problem is None:
        return Dependency(name, "ok", None)
    return Dependency(name, "down", problem)


def _probe(name: str, ask: Callable[[], None]) -> Probe[Problem]:
    def problem() -> Problem:
        try:
            ask()
        except Exception as error:  # noqa: BLE001  whatever goes wrong is what is asked for
            return f"does not answer ({type(error).__name__})"
        return None

    return Probe(f"health-{name}", problem)


def _ask_database(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM user LIMIT 1"))


def _ask_limits(store: Store | None) -> None:
    if store is not None:
        store.check()
