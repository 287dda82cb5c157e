"""The snapshot that a unit of work reads: one transaction on one connection, of this thread.

A session takes several times as long as a query to begin and to end. What only reads needs none;
whoever uses the session all the same reads in the same snapshot.
"""

from contextvars import ContextVar
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine

import metrics
from database import timing


class Snapshot:
    """A transaction that only reads; `notes` are what is known of it while it lasts."""

    def __init__(self, engine: Engine) -> None:
        self.began = perf_counter()
        self.connection: Connection = engine.connect()
        self.notes: dict[str, Any] = {}
        try:
            self.connection.begin()
        except BaseException:
            self.connection.close()
            raise

    def end(self) -> None:
        """Give the connection back."""
        try:
            self.connection.close()
        finally:
            timing.tell()
            metrics.transaction_ended(perf_counter() - self.began, committed=False)


_current: ContextVar[Snapshot | None] = ContextVar("snapshot", default=None)


def current() -> Snapshot | None:
    """The snapshot that this thread reads, if any."""
    return _current.get()


def begin(engine: Engine) -> Snapshot:
    """Begin another one; the one before it has ended."""
    snapshot = Snapshot(engine)
    _current.set(snapshot)
    return snapshot


def take() -> Snapshot | None:
    """The current one, if any: whoever takes it ends it, in whichever thread."""
    snapshot = _current.get()
    if snapshot is not None:
        _current.set(None)
    return snapshot


def end() -> None:
    """End the current one, if any."""
    snapshot = take()
    if snapshot is not None:
        snapshot.end()
