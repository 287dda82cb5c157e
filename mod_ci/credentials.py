"""Credentials that were good a moment ago: of attempts, and of runs that existing workers execute.

A runner shows the same one hundreds of times, and each time something is written under its run's
lock. There it is held against the tables; what is remembered here only spares asking before, in a
transaction of its own. Nothing else may rely on it.
"""

from collections.abc import Hashable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from database import db
from database.newest import Newest

MOST = 1024
_good: "WeakKeyDictionary[Engine, Newest[Hashable, Any]]" = WeakKeyDictionary()


def remembered(key: Hashable) -> Any:
    """What was noted of this credential, if anything."""
    known = _good.get(db.engine)
    return None if known is None else known.get(key)


def note(key: Hashable, value: Any) -> None:
    """This credential was good."""
    known = _good.get(db.engine)
    if known is None:
        known = _good.setdefault(db.engine, Newest(MOST))
    known.keep(key, value)
