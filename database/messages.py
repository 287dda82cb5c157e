"""What is said to a MariaDB: several statements at once, where nobody needs to hear between them.

Each message is a question over a socket that the database answers before the next one, and most
statements of ours are found or written sooner than that. So a unit of work that writes may leave
statements unsaid (`leave`) until it says something else (`exchange`), at the latest its COMMIT, and
may ask for several things at once. They are carried out in order, and none after one that fails.
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
# In a connection's `info`: what is left, with what one that was left has been refused, and that it
# has just committed and begun nothing since.
_LEFT, _REFUSED, _COMMITTED = "statements that are left", "refusal of one", "has committed"
_NOTHING: tuple[Any, ...] = ()

Heard = Callable[[Any], Any]


class Statement(NamedTuple):
    """Text with the driver's marks, the values for them, and what is made of the driver's cursor
    once it is carried out."""

    text: str
    values: Sequence[Any] = ()
    heard: Heard | None = None


def leave(connection: Connection, statement: Statement) -> None:
    """Say this along with what is said next. Whatever it is answered, nobody hears it; a unit of
    work in which it is refused can only be rolled back, even if what was said next bears that."""
    connection.info.setdefault(_LEFT, []).append(statement)


def exchange(connection: Connection, statements: Sequence[Statement]) -> list[Any]:
    """Say these and what was left before; what was `heard` of each. Raises DBAPIError as SQLAlchemy
    does."""
    if connection.dispatch.before_cursor_execute:
        return _said_to_watchers(connection, statements)
    driver = connection.connection
    dialect = connection.dialect
    try:
        if dialect.name == "sqlite":
            return [_said(driver, [one])[0] for one in statements]
        left = driver.info.pop(_LEFT, _NOTHING)
        return _said(driver, [*left, *statements], left=len(left))[len(left) :]
    except dialect.loaded_dbapi.Error as error:
        raise _failure(connection, statements[-1].text, error) from error


def speak_briefly(engine: Engine) -> None:
    """Let COMMIT carry what is left, and let no ROLLBACK follow it on the connection's way back."""
    dialect = engine.dialect
    commit, rollback = dialect.do_commit, dialect.do_rollback

    def do_commit(driver: Any) -> None:
        try:
            _raise_what_was_refused(driver)
            if not _say_what_is_left(driver, last=(Statement("COMMIT"),)):
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
        info.pop(_LEFT, None)
        info.pop(_REFUSED, None)
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
    """A transaction begins: nothing is left of others, and it is rolled back unless it commits."""
    for noted in (_LEFT, _REFUSED, _COMMITTED):
        connection.info.pop(noted, None)


def _committing(connection: Connection) -> None:
    """A transaction commits: who watches the statements sees those that are left as well."""
    if not connection.dispatch.before_cursor_execute:
        return
    try:
        _said_to_watchers(connection, ())
    except BaseException:
        # For SQLAlchemy the transaction is over, as below where a commit fails.
        with suppress(DBAPIError, InvalidRequestError):  # what is gone has rolled back
            connection.dialect.do_rollback(connection.connection)
        raise


def _executing(cursor: Any, statement: str, parameters: Any, context: Any) -> None:
    """SQLAlchemy says something by itself: what was left comes before it."""
    _say_what_is_left(context.root_connection.connection)


def _raise_what_was_refused(driver: Any) -> None:
    """Raise what a statement that was left has been refused with, if somebody else bore it."""
    refused: BaseException | None = driver.info.pop(_REFUSED, None)
    if refused is not None:
        raise refused


def _say_what_is_left(driver: Any, *, last: Sequence[Statement] = ()) -> bool:
    """Say what was left on this driver's connection, then `last`; whether there was anything.

    Raises the driver's errors.
    """
    left = _info(driver).pop(_LEFT, _NOTHING)
    if left:
        _said(driver, [*left, *last], left=len(left))
    return bool(left)


def _info(driver: Any) -> dict[str, Any]:
    """What is noted of a driver's connection."""
    try:
        noted: dict[str, Any] = driver.info
    except NotImplementedError:
        # The one with which SQLAlchemy looks around before it is in the pool.
        return {}
    return noted


def _said(driver: Any, statements: Sequence[Statement], *, left: int = 0) -> list[Any]:
    """Say all in one message, the first ones of which were `left`; what was heard of each.

    Raises the driver's errors.
    """
    if len(statements) == 1:
        text, values = statements[0].text, statements[0].values
    else:
        text = ";\n".join(one.text for one in statements)
        values = [value for one in statements for value in one.values]
    cursor = driver.cursor()
    heard: list[Any] = []
    began = perf_counter()
    try:
        cursor.execute(text, values)
        for place, one in enumerate(statements):
            if place:
                _go_on(cursor)
            heard.append(None if one.heard is None else one.heard(cursor))
    except BaseException as error:
        if len(heard) < left:
            _info(driver)[_REFUSED] = error
        error.add_note(f"in: {statements[len(heard)].text}")
        with suppress(Exception):  # what went wrong first is told
            cursor.close()
        raise
    finally:
        timing.note_together([one.text for one in statements], began, done=len(heard))
    cursor.close()
    return heard


def _go_on(cursor: Any) -> None:
    """Go on to the answer to the next statement. Raises what that one is refused with."""
    if not cursor.nextset():
        raise AssertionError("there are fewer answers than statements")


def _said_to_watchers(connection: Connection, statements: Sequence[Statement]) -> list[Any]:
    """Say them one by one, by way of SQLAlchemy: somebody watches the statements of this engine."""
    left = connection.info.pop(_LEFT, _NOTHING)
    heard: list[Any] = []
    for one in (*left, *statements):
        try:
            cursor = connection.exec_driver_sql(one.text, tuple(one.values)).context.cursor
        except DBAPIError as error:
            if len(heard) < len(left) and not connection.invalidated:
                connection.info[_REFUSED] = error
            raise
        heard.append(None if one.heard is None else one.heard(cursor))
        cursor.close()
    return heard[len(left) :]


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
