"""How MariaDB (or MySQL) is told to read what it would by itself read in a worse way.

SQLite finds such ways by itself, and sees nothing of this.
"""

from typing import Any

from sqlalchemy import Select

DIALECTS = ("mysql", "mariadb")


def in_this_order(statement: Select[Any]) -> Select[Any]:
    """A statement whose tables are joined in the order in which it names them.

    Where a few rows lead to the others, MariaDB sometimes begins at the other end: what it knows
    of a derived table is a guess. SQLite looks such a table up first by itself.
    """
    for dialect in DIALECTS:
        statement = statement.prefix_with("STRAIGHT_JOIN", dialect=dialect)
    return statement


def by_index(statement: Select[Any], table: Any, name: str) -> Select[Any]:
    """A statement that finds the rows of `table` along the index of this name."""
    return _hinted(statement, table, f"FORCE INDEX ({name})")


def not_by_index(statement: Select[Any], table: Any, name: str) -> Select[Any]:
    """A statement that finds the rows of `table` along any other index."""
    return _hinted(statement, table, f"IGNORE INDEX ({name})")


def _hinted(statement: Select[Any], table: Any, hint: str) -> Select[Any]:
    for dialect in DIALECTS:
        statement = statement.with_hint(table, hint, dialect)
    return statement
