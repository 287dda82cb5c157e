"""Statements of rows that are no entities: what requests read again and again, what is written in
bulk.

The ones that are composed once are compiled once (`database.prepared`); whatever is composed for a
single call belongs to the session.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Insert, inspect
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql import Executable

from database import snapshots, writers
from database.base import Base, db
from database.pipeline import Statement, defer, send
from database.prepared import CHOSEN, Row, prepared

Params = Mapping[str, Any]
# A statement that is composed once, and its parameters.
Asked = tuple[Executable, Params]
_NONE: Params = {}
_NONE_CHOSEN = Statement(f"SET {CHOSEN.text} = NULL")


def fetch(statement: Executable, params: Params = _NONE) -> Sequence[Row]:
    """The rows of a statement, in this thread's unit of work."""
    return _connection().execute(statement, params).all()


def fetch_each(*asked: Asked) -> list[list[Row]]:
    """The rows of each of several statements, in one message where the database allows it.

    They are executed in this order; where one fails, those after it are not.
    """
    connection = _connection()
    dialect = connection.dialect
    return send(
        connection, [prepared(statement, dialect).rows(params) for statement, params in asked]
    )


def fetch_chosen(choosing: Asked, *asked: Asked, before: Sequence[Asked] = ()) -> list[list[Row]]:
    """The rows of those asked `before`, of `choosing` and of those `asked` after it, in one message
    where the database allows it.

    In `asked`, a parameter that is `CHOSEN` has the value of the first column of `choosing`, which
    is a `chosen(...)`, and there are no rows where it chose none. `choosing` gives one row at most.
    """
    connection = _connection()
    dialect = connection.dialect

    def statements(each: Sequence[Asked]) -> list[Statement]:
        return [prepared(statement, dialect).rows(params) for statement, params in each]

    if dialect.name == "sqlite":
        *found, rows = send(connection, statements([*before, choosing]))
        if not rows:
            return [*found, rows, *([] for _ in asked)]
        value = rows[0][0]
        known = [
            (
                statement,
                {name: value if given is CHOSEN else given for name, given in params.items()},
            )
            for statement, params in asked
        ]
        return [*found, rows, *send(connection, statements(known))]
    at_first, at_last = statements(before), statements([choosing, *asked])
    results = send(connection, [*at_first, _NONE_CHOSEN, *at_last])
    return [rows for rows in results if rows is not None]


def fetch_first(statement: Executable, params: Params = _NONE) -> Row | None:
    """The first of its rows, or None."""
    rows = fetch(statement, params)
    return rows[0] if rows else None


def fetch_values(statement: Executable, params: Params = _NONE) -> Sequence[Any]:
    """The first value of each row of a statement."""
    return _connection().execute(statement, params).scalars().all()


def fetch_value(statement: Executable, params: Params = _NONE) -> Any:
    """The first value of its first row, or None."""
    row = fetch_first(statement, params)
    return None if row is None else row[0]


class Change(NamedTuple):
    """What a statement that writes has done: how many rows, and the id of the one it inserted."""

    rows: int
    row_id: int


class PendingWrite:
    """A write that is sent later; its result, once it was."""

    def __init__(self) -> None:
        self._result: Change | None = None

    @property
    def result(self) -> Change:
        """Raises RuntimeError before it was sent; after the unit of work it always was."""
        if self._result is None:
            raise RuntimeError("this statement was not sent yet")
        return self._result

    def resolve(self, rows: int, row_id: int) -> None:
        self._result = Change(rows, row_id)


def write_later(statement: Executable, params: Params) -> PendingWrite:
    """Send a statement that writes along with what this unit of work sends next, at the latest its
    COMMIT. Its error is raised there, and then the unit can only be rolled back; where something
    else is raised before, that is raised alone.

    `params` are its parameters; of an INSERT the values of the columns that it has no value for,
    always the same ones: no default is put in.
    """
    connection = _writer()
    pending = PendingWrite()
    resolving = _resolving(pending, _change(connection, statement, params))
    if connection.dialect.name == "sqlite" or writers.current() is None:
        send(connection, (resolving,))
    else:
        defer(connection, resolving)
    return pending


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
    snapshot = snapshots.current()
    return _writer() if snapshot is None else snapshot.connection


def _writer() -> Connection:
    return writers.current() or db.session.connection()


def _resolving(pending: PendingWrite, statement: Statement) -> Statement:
    read = statement.read
    if read is None:
        raise TypeError("what writes has a result")
    return statement._replace(read=lambda cursor: pending.resolve(*read(cursor)))


def _change(connection: Connection, statement: Executable, params: Params) -> Statement:
    has_values = isinstance(statement, Insert) and statement.select is None
    columns = tuple(params) if has_values else None
    return prepared(statement, connection.dialect, columns).change(params)
