"""Statements of rows that are no entities: what requests read again and again, what is written in
bulk.

The ones that are composed once are compiled once (`database.prepared`); whatever is composed for a
single call belongs to the session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, inspect
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql import Executable

from database import snapshots, writers
from database.base import Base, db
from database.prepared import Prepared, Row, prepared


def fetch(statement: Executable, params: Mapping[str, Any] | None = None) -> list[Row]:
    """The rows of a statement that is composed once, in the session's unit of work."""
    connection, known = _here(statement)
    return known.rows(connection, params or {})


def fetch_first(statement: Executable, params: Mapping[str, Any] | None = None) -> Row | None:
    """The first of its rows, or None."""
    rows = fetch(statement, params)
    return rows[0] if rows else None


def fetch_values(statement: Executable, params: Mapping[str, Any] | None = None) -> list[Any]:
    """The first value of each of its rows."""
    connection, known = _here(statement)
    return known.values(connection, params or {})


def fetch_value(statement: Executable, params: Mapping[str, Any] | None = None) -> Any:
    """The first value of its first row, or None."""
    row = fetch_first(statement, params)
    return None if row is None else row[0]


@dataclass(frozen=True)
class Change:
    """What a statement that writes has done: how many rows, and the id of the one it inserted."""

    rows: int
    row_id: int


def change(statement: Executable, params: Mapping[str, Any]) -> Change:
    """Send a statement that writes one row or what it chooses, in the session's unit of work.

    `params` are its parameters; of an INSERT the values of the columns that it has no value for,
    always the same ones: no default is put in.
    """
    columns = tuple(params) if isinstance(statement, Insert) else None
    connection = writers.current() or db.session.connection()
    return Change(*prepared(statement, connection.dialect, columns).change(connection, params))


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
    snapshot = snapshots.current()
    if snapshot is not None:
        connection = snapshot.connection
    else:
        connection = writers.current() or db.session.connection()
    return connection, prepared(statement, connection.dialect)
