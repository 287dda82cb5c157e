"""Core statements outside of the ORM: reads without a session, and bulk writes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.sql import Executable

from database import snapshots, writers
from database.base import Base, db

Params = Mapping[str, Any]
_NONE: Params = {}


def fetch(statement: Executable, params: Params = _NONE) -> Sequence[Any]:
    """The rows of a statement, in this thread's unit of work."""
    return current_connection().execute(statement, params).all()


def fetch_first(statement: Executable, params: Params = _NONE) -> Any:
    """The first row of a statement, or None."""
    return current_connection().execute(statement, params).first()


def fetch_values(statement: Executable, params: Params = _NONE) -> Sequence[Any]:
    """The first value of each row of a statement."""
    return current_connection().execute(statement, params).scalars().all()


def fetch_value(statement: Executable, params: Params = _NONE) -> Any:
    """The first value of the first row of a statement, or None."""
    return current_connection().execute(statement, params).scalar()


def execute(statement: Executable, params: Params | Sequence[Params] = _NONE) -> None:
    """Execute a statement that writes, once or for each of several rows of parameters."""
    if params or params is _NONE:
        current_connection().execute(statement, params)


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


def current_connection() -> Connection:
    """The connection of this thread's unit of work, else of its session."""
    snapshot = snapshots.current()
    if snapshot is not None:
        return snapshot.connection
    return writers.current() or db.session.connection()
