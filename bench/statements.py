"""The SQL statements of a request, counted and explained in this process.

The same application on the same database, asked by Flask's test client. What settles marks after
the answer counts, too.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask import Flask

from database import db

Statement = tuple[str, Any]
PLAN = ("table", "type", "key", "rows", "Extra")


@contextlib.contextmanager
def recorded(app: Flask) -> Iterator[list[Statement]]:
    """Every statement that the application sends meanwhile, with its parameters."""
    found: list[Statement] = []

    def sent(connection: Any, cursor: Any, text: str, values: Any, *_: Any) -> None:
        found.append((text, values))

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", sent)
    try:
        yield found
    finally:
        sa.event.remove(engine, "before_cursor_execute", sent)


def statements_of(app: Flask, url: str, headers: dict[str, str]) -> list[Statement]:
    """What one request sends, after one that filled the caches."""
    client = app.test_client()
    client.get(url, headers=headers).close()
    with recorded(app) as found, client.get(url, headers=headers) as response:
        response.get_data()
        return found


def explained(app: Flask, statements: list[Statement]) -> str:
    """The plan of each statement, a line for each table."""
    lines = []
    with app.app_context(), db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        for number, (text, values) in enumerate(statements, 1):
            if not text.lstrip().upper().startswith("SELECT"):
                continue
            lines.append(f"  statement {number}: {' '.join(text.split())}")
            before = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
            for row in connection.exec_driver_sql(before + text, values).mappings():
                shown = row.values() if is_sqlite else [row[name] for name in PLAN]
                lines.append("    " + " | ".join(str(value) for value in shown))
    return "\n".join(lines)
