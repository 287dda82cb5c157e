"""Units of work: one that reads, one that writes, and one that is done again after a deadlock."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

import metrics
from database import pipeline, snapshots, timing, writers
from database.base import db

# A deadlock's victim is told the second where it waited for the next id of a table.
VICTIM = ((1213,), (1467,))
TRIES = 6
# Errors that another try need not meet: a deadlock, a lock that was not given in time, a connection
# that was lost or killed, a server that has no place or is stopping.
TRANSIENT = frozenset({1040, 1053, 1205, 1213, 1467, 1927, 2002, 2003, 2006, 2013, 2055})
SQLITE_BUSY, SQLITE_LOCKED = 5, 6
PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries
LONGEST_S = 60.0  # after which no further try begins, but for the second
T = TypeVar("T")


@contextmanager
def writing(
    *, snapshot: bool = False, patience: int | None = None, pipelined: bool = False
) -> Iterator[None]:
    """One unit of work that writes: committed at the end, rolled back on anything raised.

    SQLite: BEGIN IMMEDIATE, since a reader that turns writer may fail at once. MariaDB: READ
    COMMITTED, so that what is read after taking a lock is what the lock protects; with `snapshot`
    REPEATABLE READ, whose one snapshot begins at the first read that does not lock. `patience` is
    for how many seconds at most it waits for a lock; without it as long as the database says.
    `pipelined`: it sends a `Batch`.
    Raises RuntimeError within another one: on SQLite it would wait for itself.
    """
    _refuse_within_writing()
    end_reading()
    _end_session()
    engine = pipeline.engine() if pipelined else db.engine
    with engine.connect() as connection:
        connection.execution_options(writes=True, snapshot=snapshot, patience=patience)
        began, committed = perf_counter(), False
        try:
            connection.begin()
            with writers.writing_on(connection):
                yield
                _leave_session()
            _commit(connection)
            committed = True
        finally:
            try:
                _end_session()
            finally:
                timing.tell()
                metrics.transaction_ended(perf_counter() - began, committed=committed)


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except BaseException:
        # SQLAlchemy gives a connection whose COMMIT failed back without a ROLLBACK, and the
        # transaction may still be open: the pool must not hand it out again.
        connection.invalidate()
        raise
    connection.info[writers.COMMITTED] = True


def keep() -> None:
    """Commit what this unit of work that writes has written so far: it outlives what is raised."""
    connection = writers.current()
    if connection is None:
        raise RuntimeError("nothing is being written")
    _leave_session()
    connection.commit()
    connection.begin()


def _leave_session() -> None:
    """Write what this thread's session still holds, if there is one: the unit commits it."""
    if db.session.registry.has():
        db.session.commit()


@contextmanager
def reading() -> Iterator[None]:
    """One unit of work that reads one snapshot, the one that was begun already if any, and gives
    its connection back at the end."""
    if snapshots.current() is None:
        begin_reading()
    try:
        yield
    finally:
        end_reading()


def begin_reading() -> None:
    """Begin a unit of work that reads one snapshot, until `end_reading`.

    Raises RuntimeError within one that writes, which would lose what its session holds.
    """
    _refuse_within_writing()
    end_reading()
    _end_session()
    snapshots.begin(db.engine)


def end_reading() -> None:
    """End the unit of work that reads, if any."""
    if snapshots.current() is not None:
        _end_session()  # it may have read in the snapshot, too
    snapshots.end()


def _refuse_within_writing() -> None:
    if writers.current() is not None:
        raise RuntimeError("another unit of work is writing")


def _end_session() -> None:
    """Roll back what this thread's session has begun, without making one for that."""
    if db.session.registry.has():
        db.session.rollback()


def written(work: Callable[[], T], *, pipelined: bool = False) -> T:
    """Do `work` as one unit of work that writes, and return what it returned.

    MariaDB may choose a transaction as a deadlock's victim at any statement; the work is then done
    again from its start, which is what it would have been asked for anyway.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with writing(pipelined=pipelined):
                return work()
        except OperationalError as error:
            is_victim = error.orig is not None and error.orig.args[:1] in VICTIM
            if not is_victim or attempt == TRIES:
                raise
            time.sleep(0.01 * attempt * random.uniform(0.5, 1.5))  # noqa: S311  no secret: it parts two who collide
    raise AssertionError("unreachable")


def persistently(work: Callable[[], T]) -> T:
    """Do `work`, and do it again after an error of the database that passes by.

    For callers who cannot ask again. `work` may have been done already when its answer was lost,
    so doing it twice must be harmless; it begins its own unit of work.
    """
    until = time.monotonic() + LONGEST_S
    for number, pause in enumerate(PAUSES):
        try:
            return work()
        except DBAPIError as error:
            is_late = number > 0 and time.monotonic() > until
            if is_late or not is_transient(error):
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  no secret: it parts two who collide
    return work()


def is_transient(error: DBAPIError) -> bool:
    """Whether another try may succeed: nothing is wrong with what was asked."""
    if error.connection_invalidated:
        return True
    original = error.orig
    if original is None:
        return False
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)
    return original.args[:1] != () and original.args[0] in TRANSIENT
