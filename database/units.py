"""Units of work: the session and the connection of this thread, and the statements sent on it.

A unit reads one snapshot or writes one transaction, on one connection. A session takes several
times as long as a query to begin and to end, so what only reads needs none: `fetch` and its kin
send Core statements. A session that is used all the same reads and writes in the unit, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import structlog
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql import Executable

import metrics
from database import timing
from database.base import Base
from database.failures import log_failure

# The name of the engine whose connections allow several statements in one text: MariaDB's alone.
PIPELINED = "pipelined"
# Off where somebody wants to see each statement by itself, as tests do.
pipelining = True
# In a connection's `info`: it has committed, and begun nothing since.
COMMITTED = "has committed"
Params = Mapping[str, Any]
_NONE: Params = {}
log = structlog.get_logger("database")


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A transaction that only reads; `notes` are facts about it that hold while it lasts."""

    connection: Connection
    began: float
    notes: dict[str, Any] = field(default_factory=dict)


_reader: ContextVar[_Snapshot | None] = ContextVar("reader", default=None)
_writer: ContextVar[Connection | None] = ContextVar("writer", default=None)


class UnitSession(Session):
    """A session that reads or writes in the thread's unit of work, where there is one: beginning,
    committing and rolling back is then left to that."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        snapshot = _reader.get()
        if snapshot is not None:
            return snapshot.connection
        return writing_connection() or super().get_bind(*args, **kwargs)


db = SQLAlchemy(
    model_class=Base,
    session_options={"class_": UnitSession, "expire_on_commit": False, "autoflush": False},
)
timing.time_transactions(db.session)


def writing_connection() -> Connection | None:
    """Return the connection of the unit of work that writes, if any."""
    connection = _writer.get()
    return None if connection is None or connection.closed else connection


def snapshot_notes() -> dict[str, Any] | None:
    """Return the facts noted of the snapshot that this thread reads, if it reads one."""
    snapshot = _reader.get()
    return None if snapshot is None else snapshot.notes


@contextmanager
def reading() -> Iterator[None]:
    """Read one snapshot, the one that was begun already if any, and give its connection back."""
    if _reader.get() is None:
        begin_reading()
    try:
        yield
    finally:
        end_reading()


def begin_reading() -> None:
    """Begin a unit of work that reads one snapshot, until `end_reading`.

    Raises RuntimeError within one that writes, which would lose what its session holds.
    """
    if writing_connection() is not None:
        raise RuntimeError("another unit of work is writing")
    end_reading()
    _end_session()
    began = perf_counter()
    connection = db.engine.connect()
    try:
        connection.begin()
    except BaseException:
        connection.close()
        raise
    _reader.set(_Snapshot(connection, began))


def end_reading() -> None:
    """End the unit of work that reads, if any. A connection lost by then is logged: what was read
    stands."""
    snapshot = _reader.get()
    if snapshot is None:
        return
    try:
        _end_session()  # it may have read in the snapshot, too
        snapshot.connection.close()
    except BaseException as error:
        # The database is gone, and the connection with it: it must not be found in the pool.
        with suppress(InvalidRequestError):  # it is closed after all
            snapshot.connection.invalidate()
        snapshot.connection.close()
        if not isinstance(error, Exception):
            raise
        log_failure(log, "snapshot_not_ended", error)
    finally:
        _reader.set(None)
        timing.tell()
        metrics.transaction_ended(perf_counter() - snapshot.began, committed=False)


@contextmanager
def writing(
    *, snapshot: bool = False, patience: int | None = None, pipelined: bool = False
) -> Iterator[None]:
    """Write one transaction: committed at the end, rolled back on anything raised.

    SQLite: BEGIN IMMEDIATE, since a reader that turns writer may fail at once. MariaDB: READ
    COMMITTED, so that what is read after taking a lock is what the lock protects; with `snapshot`
    REPEATABLE READ, whose one snapshot begins at the first read that does not lock. `patience` is
    for how many seconds at most it waits for a lock; without it as long as the database says.
    `pipelined`: it sends a `Batch`.
    Raises RuntimeError within another one: on SQLite it would wait for itself.
    """
    if writing_connection() is not None:
        raise RuntimeError("another unit of work is writing")
    end_reading()
    _end_session()
    engine = (pipelined and pipelining and db.engines.get(PIPELINED)) or db.engine
    with engine.connect() as connection:
        connection.execution_options(writes=True, snapshot=snapshot, patience=patience)
        began, committed = perf_counter(), False
        token = _writer.set(connection)
        try:
            connection.begin()
            yield
            _flush_session()
            _commit(connection)
            committed = True
        finally:
            _writer.reset(token)
            try:
                _end_session()
            finally:
                timing.tell()
                metrics.transaction_ended(perf_counter() - began, committed=committed)


def keep() -> None:
    """Commit what this unit of work that writes has written so far: it outlives what is raised."""
    connection = writing_connection()
    if connection is None:
        raise RuntimeError("nothing is being written")
    _flush_session()
    connection.commit()
    connection.begin()


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except BaseException:
        # SQLAlchemy gives a connection whose COMMIT failed back without a ROLLBACK, and the
        # transaction may still be open: the pool must not hand it out again.
        connection.invalidate()
        raise
    connection.info[COMMITTED] = True


def _flush_session() -> None:
    """Write what this thread's session still holds, if there is one: the unit commits it."""
    if db.session.registry.has():
        db.session.commit()


def _end_session() -> None:
    """Roll back what this thread's session has begun, without making one for that."""
    if db.session.registry.has():
        db.session.rollback()


def fetch(statement: Executable, params: Params = _NONE) -> Sequence[Any]:
    """Return the rows of a statement."""
    return _connection().execute(statement, params).all()


def fetch_first(statement: Executable, params: Params = _NONE) -> Any:
    """Return the first row of a statement, or None."""
    return _connection().execute(statement, params).first()


def fetch_values(statement: Executable, params: Params = _NONE) -> Sequence[Any]:
    """Return the first value of each row of a statement."""
    return _connection().execute(statement, params).scalars().all()


def fetch_value(statement: Executable, params: Params = _NONE) -> Any:
    """Return the first value of the first row of a statement, or None."""
    return _connection().execute(statement, params).scalar()


def execute(statement: Executable, params: Params | Sequence[Params] = _NONE) -> None:
    """Execute a statement that writes, once or for each of several rows of parameters."""
    if params or params is _NONE:
        _connection().execute(statement, params)


def replace_rows(
    table: type[Base], columns: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write these columns of rows that are there, found by their primary keys; `rows` are whole."""
    if not rows:
        return
    if db.engine.dialect.name == "sqlite":
        new = sqlite.insert(table)
        keys = [column.name for column in inspect(table).primary_key]
        statement: Any = new.on_conflict_do_update(
            index_elements=keys, set_={name: new.excluded[name] for name in columns}
        )
    else:
        given = mysql.insert(table)
        statement = given.on_duplicate_key_update({name: given.inserted[name] for name in columns})
    db.session.connection().execute(statement, list(rows))


def _connection() -> Connection:
    """Return the connection of this thread's unit of work, else of its session."""
    snapshot = _reader.get()
    if snapshot is not None:
        return snapshot.connection
    return writing_connection() or db.session.connection()
