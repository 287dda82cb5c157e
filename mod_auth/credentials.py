"""Credentials that were good a moment ago: of attempts, of runs that existing workers execute, and
tokens that take runs from the queue.

A runner shows the same one hundreds of times, and each time something is written. There, in the
unit of work that writes, it is held against the tables; what is remembered here only spares asking
before, in a transaction of its own. Nothing else may rely on it.
"""

from collections.abc import Hashable
from typing import Any

from database import db
from database.newest import OfDatabases

_good: OfDatabases[Hashable, Any] = OfDatabases(1024)


def remembered(key: Hashable) -> Any:
    """Return the value noted for this credential, if any."""
    return _good.of(db.engine).get(key)


def note(key: Hashable, value: Any) -> None:
    """This credential was good."""
    _good.of(db.engine).keep(key, value)


def forget(key: Hashable) -> None:
    """Forget this credential."""
    _good.of(db.engine).drop(key)
