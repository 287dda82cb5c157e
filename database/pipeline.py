"""Pipelining: several statements in one message to MariaDB, where no answer is needed in between.

Each round trip is a question over a socket that the database answers before it hears the next one,
and most statements of ours are executed in less time than that takes. So a unit of work that writes
may defer statements (`defer`) until it sends something else (`send`), at the latest its COMMIT, and
may send several at once. They are executed in order, and none after one that fails.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from database import timing

# What a driver's connection is told to allow.
FOUND_ROWS, MULTI_STATEMENTS = 2, 1 << 16
CLIENT_FLAGS = FOUND_ROWS | MULTI_STATEMENTS
# In a connection's `info`: what is deferred, with what a deferred one has failed, and that it has
# just committed and begun nothing since.
_DEFERRED, _FAILED, _COMMITTED = "deferred statements", "failure of one", "has committed"
_NOTHING: tuple[Any, ...] = ()

Read = Callable[[Any], Any]


class Statement(NamedTuple):
    """Text with the driver's marks, the values for them, and what reads the result from the
    driver's cursor; without it there is no result."""

    text: str
    values: Sequence[Any] = ()
    read: Read | None = None


def defer(connection: Connection, statement: Statement) -> None:
    """Send this along with what is sent next; its result is not returned.

    If it fails, the unit of work can only be rolled back, even if the caller of what was sent next
    caught the error.
    """
    connection.info.setdefault(_DEFERRED, []).append(statement)


def send(connection: Connection, statements: Sequence[Statement]) -> list[Any]:
    """Execute what was deferred, then these; the results of these. Raises DBAPIError as SQLAlchemy
    does."""
    if connection.dispatch.before_cursor_execute:
        return _send_one_by_one(connection, statements)
    driver = connection.connection
    dialect = connection.dialect
    try:
        if dialect.name == "sqlite":
            return [_send(driver, [one])[0] for one in statements]
        deferred = driver.info.pop(_DEFERRED, _NOTHING)
        results = _send(driver, [*deferred, *statements], deferred=len(deferred))
        return results[len(deferred) :]
    except dialect.loaded_dbapi.Error as error:
        raise _failure(connection, statements[-1].text, error) from error


def install(engine: Engine) -> None:
    """Let COMMIT carry what is deferred, and let no ROLLBACK follow it on the connection's way back
    to the pool."""
    dialect = engine.dialect
    commit, rollback = dialect.do_commit, dialect.do_rollback

    def do_commit(driver: Any) -> None:
        try:
            _raise_failure_of_deferred(driver)
            if not _flush(driver, last=(Statement("COMMIT"),)):
                commit(driver)
        except BaseException:
            # For SQLAlchemy a transaction whose commit failed is over. This one may not have come
            # to its COMMIT.
            with suppress(dialect.loaded_dbapi.Error):  # a connection that is gone has rolled back
                rollback(driver)
            raise
        driver.info[_COMMITTED] = True

    def do_rollback(driver: Any) -> None:
        info = _info(driver)
        info.pop(_DEFERRED, None)
        info.pop(_FAILED, None)
        if not info.pop(_COMMITTED, False):
            rollback(driver)

    # A dialect has no other place for this: events come before, and cannot stand in for it.
    dialect.do_commit = do_commit  # type: ignore[assignment, method-assign]
    dialect.do_rollback = do_rollback  # type: ignore[assignment, method-assign]
    event.listen(engine, "begin", _begun)
    event.listen(engine, "commit", _committing)
    for how in ("do_execute", "do_executemany"):
        event.listen(engine, how, _executing)


def _begun(connection: Connection) -> None:
    """A transaction begins: nothing of another one is deferred, and it is rolled back unless it
    commits."""
    for noted in (_DEFERRED, _FAILED, _COMMITTED):
        connection.info.pop(noted, None)


def _committing(connection: Connection) -> None:
    """A transaction commits: who watches the statements sees the deferred ones as well."""
    if not connection.dispatch.before_cursor_execute:
        return
    try:
        _send_one_by_one(connection, ())
    except BaseException:
        # For SQLAlchemy the transaction is over, as above where a commit fails.
        with suppress(DBAPIError, InvalidRequestError):  # what is gone has rolled back
            connection.dialect.do_rollback(connection.connection)
        raise


def _executing(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
    """SQLAlchemy executes a statement itself: what was deferred comes before it."""
    _flush(context.root_connection.connection)


def _raise_failure_of_deferred(driver: Any) -> None:
    """Raise what a deferred statement has failed with, if somebody caught it in the meantime."""
    failure: BaseException | None = driver.info.pop(_FAILED, None)
    if failure is not None:
        raise failure


def _flush(driver: Any, *, last: Sequence[Statement] = ()) -> bool:
    """Execute what was deferred on this driver's connection, then `last`; whether there was any.

    Raises the driver's errors.
    """
    deferred = _info(driver).pop(_DEFERRED, _NOTHING)
    if deferred:
        _send(driver, [*deferred, *last], deferred=len(deferred))
    return bool(deferred)


def _info(driver: Any) -> dict[str, Any]:
    """What is noted of a driver's connection."""
    try:
        noted: dict[str, Any] = driver.info
    except NotImplementedError:
        # The one with which SQLAlchemy looks around before it is in the pool.
        return {}
    return noted


def _send(driver: Any, statements: Sequence[Statement], *, deferred: int = 0) -> list[Any]:
    """Execute all in one message, the first ones of which were `deferred`; the result of each.

    Raises the driver's errors.
    """
    if len(statements) == 1:
        text, values = statements[0].text, statements[0].values
    else:
        text = ";\n".join(one.text for one in statements)
        values = [value for one in statements for value in one.values]
    cursor = driver.cursor()
    results: list[Any] = []
    began = perf_counter()
    try:
        cursor.execute(text, values)
        for place, one in enumerate(statements):
            if place:
                _go_on(cursor)
            results.append(None if one.read is None else one.read(cursor))
    except BaseException as error:
        if len(results) < deferred:
            _info(driver)[_FAILED] = error
        error.add_note(f"in: {statements[len(results)].text}")
        with suppress(Exception):  # what went wrong first is told
            cursor.close()
        raise
    finally:
        timing.note_together([one.text for one in statements], began, done=len(results))
    cursor.close()
    return results


def _go_on(cursor: Any) -> None:
    """Go on to the result of the next statement. Raises what that one failed with."""
    if not cursor.nextset():
        raise AssertionError("there are fewer results than statements")


def _send_one_by_one(connection: Connection, statements: Sequence[Statement]) -> list[Any]:
    """As `send`, by way of SQLAlchemy: somebody watches the statements of this engine."""
    deferred = connection.info.pop(_DEFERRED, _NOTHING)
    results: list[Any] = []
    for one in (*deferred, *statements):
        try:
            cursor = connection.exec_driver_sql(one.text, tuple(one.values)).context.cursor
        except DBAPIError as error:
            if len(results) < len(deferred) and not connection.invalidated:
                connection.info[_FAILED] = error
            raise
        results.append(None if one.read is None else one.read(cursor))
        cursor.close()
    return results[len(deferred) :]


def _failure(connection: Connection, text: str, error: Any) -> BaseException:
    dialect = connection.dialect
    is_gone = dialect.is_disconnect(error, connection.connection, None)
    if is_gone:
        connection.invalidate(error)
        connection.engine.dispose()  # the others are gone as well
    shown: BaseException = DBAPIError.instance(
        text, None, error, dialect.loaded_dbapi.Error,
        connection_invalidated=is_gone, dialect=dialect,
    )  # fmt: skip
    return shown
