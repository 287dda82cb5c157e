"""How many SQL statements something costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from database import db, units

UNCOUNTED = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that `app` sends to its database while the body of the `with` works."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(UNCOUNTED):
            statements.append(statement)

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    units.pipelining = False
    try:
        yield statements
    finally:
        units.pipelining = True
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)
