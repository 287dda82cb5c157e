"""The connection of the unit of work that writes, in this thread.

A session finds its connection anew for each statement, which takes as long as a short one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy import Connection

# In a connection's `info`: it has committed, and begun nothing since.
COMMITTED = "has committed"
_current: ContextVar[Connection | None] = ContextVar("writer", default=None)


def current() -> Connection | None:
    """The connection of the unit of work that writes, if any."""
    connection = _current.get()
    return None if connection is None or connection.closed else connection


@contextmanager
def writing_on(connection: Connection) -> Iterator[None]:
    """The block's statements go to this connection."""
    token = _current.set(connection)
    try:
        yield
    finally:
        _current.reset(token)
