"""The snapshot that a unit of work reads: one transaction on one connection, of this thread.

A session takes several times as long as a query to begin and to end. What only reads needs none;
whoever uses the session all the same reads in the same snapshot. Giving the connection back is a
question to the database, too: it can be put off.
"""

from contextlib import suppress
from contextvars import ContextVar
from time import perf_counter
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InvalidRequestError

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
        except BaseException:
            # The database is gone, and the connection with it: it must not be found in the pool.
            with suppress(InvalidRequestError):  # it is closed after all
                self.connection.invalidate()
            self.connection.close()
            raise
        finally:
            timing.tell()
            metrics.transaction_ended(perf_counter() - self.began, committed=False)


_current: ContextVar[Snapshot | None] = ContextVar("snapshot", default=None)
_waiting: ContextVar[list[Snapshot] | None] = ContextVar("ended snapshots", default=None)


def current() -> Snapshot | None:
    """The snapshot that this thread reads, if any."""
    return _current.get()


def begin(engine: Engine) -> Snapshot:
    """Begin another one; the one before it has ended."""
    snapshot = Snapshot(engine)
    _current.set(snapshot)
    return snapshot


def end() -> None:
    """End the current one, if any: at once, or where that is put off (`put_off`) later."""
    snapshot = _current.get()
    if snapshot is None:
        return
    _current.set(None)
    waiting = _waiting.get()
    if waiting is None:
        snapshot.end()
    else:
        waiting.append(snapshot)


def put_off() -> None:
    """Let those that this thread ends from now on wait for `waiting`."""
    if _waiting.get() is None:
        _waiting.set([])


def waiting() -> list[Snapshot]:
    """Those that wait to be ended, in whichever thread, by whoever asks; nothing is put off now."""
    found = _waiting.get()
    _waiting.set(None)
    return found or []
