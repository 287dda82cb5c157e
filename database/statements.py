"""Statements of rows that are no entities: what every request reads, what is written in bulk."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable, inspect
from sqlalchemy.dialects import mysql, sqlite

from database.base import Base, db


def fetch(statement: Executable, params: Mapping[str, Any] | None = None) -> CursorResult[Any]:
    """The rows of a statement of columns, in the session's unit of work.

    For what is read on every request: the session would look for entities in it each time.
    """
    return db.session.connection().execute(statement, params)


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
