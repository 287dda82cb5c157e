"""How many SQL statements something costs, and what one that writes has done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import Executable, event, literal, select

from database import db, fetch, write_later
from database.statements import Change

_NOTHING = select(literal(1))
UNCOUNTED = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT")


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that `app` sends to its database while the body of the `with` works."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(UNCOUNTED):
            statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def change_now(statement: Executable, params: Mapping[str, Any]) -> Change:
    """What a statement that writes has done, sent at once."""
    pending = write_later(statement, params)
    fetch(_NOTHING)
    return pending.result
