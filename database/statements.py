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
from database.messages import Statement, exchange, leave
from database.prepared import CHOSEN, Prepared, Row, prepared

Params = Mapping[str, Any]
# A statement that is composed once, and its parameters.
Asked = tuple[Executable, Params]
_NONE: Params = {}
_NONE_CHOSEN = Statement(f"SET {CHOSEN.text} = NULL")


def fetch(statement: Executable, params: Params = _NONE) -> list[Row]:
    """The rows of a statement that is composed once, in the session's unit of work."""
    connection, known = _here(statement)
    rows: list[Row] = exchange(connection, (known.rows(params),))[0]
    return rows


def fetch_each(*asked: Asked) -> list[list[Row]]:
    """The rows of each of several statements, in one question where the database allows it.

    They are asked in this order; where one fails, those after it are not.
    """
    connection = _connection()
    dialect = connection.dialect
    return exchange(
        connection, [prepared(statement, dialect).rows(params) for statement, params in asked]
    )


def fetch_chosen(choosing: Asked, *asked: Asked, along: Sequence[Asked] = ()) -> list[list[Row]]:
    """The rows of `along`, of `choosing` and of those `asked` after it, in one question where the
    database allows it.

    In `asked`, a parameter that is `CHOSEN` has the value of the first column of `choosing`, which
    is a `chosen(...)`, and there are no rows where it chose none. `choosing` gives one row at most.
    """
    connection = _connection()
    dialect = connection.dialect

    def said(each: Sequence[Asked]) -> list[Statement]:
        return [prepared(statement, dialect).rows(params) for statement, params in each]

    if dialect.name == "sqlite":
        *found, rows = exchange(connection, said([*along, choosing]))
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
        return [*found, rows, *exchange(connection, said(known))]
    before = said(along)
    return [
        rows
        for rows in exchange(connection, [*before, _NONE_CHOSEN, *said([choosing, *asked])])
        if rows is not None
    ]


def fetch_first(statement: Executable, params: Params = _NONE) -> Row | None:
    """The first of its rows, or None."""
    rows = fetch(statement, params)
    return rows[0] if rows else None


def fetch_values(statement: Executable, params: Params = _NONE) -> list[Any]:
    """The first value of each of its rows."""
    connection, known = _here(statement)
    values: list[Any] = exchange(connection, (known.values(params),))[0]
    return values


def fetch_value(statement: Executable, params: Params = _NONE) -> Any:
    """The first value of its first row, or None."""
    row = fetch_first(statement, params)
    return None if row is None else row[0]


class Change(NamedTuple):
    """What a statement that writes has done: how many rows, and the id of the one it inserted."""

    rows: int
    row_id: int


class Along:
    """What a statement that goes along has done, once it was said."""

    def __init__(self) -> None:
        self._done: Change | None = None

    @property
    def done(self) -> Change:
        """Raises RuntimeError before it was said; after the unit of work it always was."""
        if self._done is None:
            raise RuntimeError("this statement was not said yet")
        return self._done

    def hear(self, rows: int, row_id: int) -> None:
        self._done = Change(rows, row_id)


def change_along(statement: Executable, params: Params) -> Along:
    """Send a statement that writes one row or what it chooses along with what this unit of work
    asks next, at the latest with its COMMIT: there it is raised what it is refused with, and the
    unit can only be rolled back. Where something else is raised before, that is raised alone.

    `params` are its parameters; of an INSERT the values of the columns that it has no value for,
    always the same ones: no default is put in.
    """
    connection = _writer()
    along = Along()
    said = _heard_by(along, _change(connection, statement, params))
    if connection.dialect.name == "sqlite" or writers.current() is None:
        exchange(connection, (said,))
    else:
        leave(connection, said)
    return along


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


def _here(statement: Executable) -> tuple[Connection, Prepared]:
    """The connection of this unit of work, and what is sent on it."""
    connection = _connection()
    return connection, prepared(statement, connection.dialect)


def _connection() -> Connection:
    snapshot = snapshots.current()
    return _writer() if snapshot is None else snapshot.connection


def _writer() -> Connection:
    return writers.current() or db.session.connection()


def _heard_by(along: Along, said: Statement) -> Statement:
    hear = said.heard
    if hear is None:
        raise TypeError("what writes says what it has done")
    return said._replace(heard=lambda cursor: along.hear(*hear(cursor)))


def _change(connection: Connection, statement: Executable, params: Params) -> Statement:
    has_values = isinstance(statement, Insert) and statement.select is None
    columns = tuple(params) if has_values else None
    return prepared(statement, connection.dialect, columns).change(params)
