"""How MariaDB's drivers read moments: by the interpreter's own reader, several times as quick as
theirs, and in UTC at once."""

from datetime import datetime
from importlib import import_module
from typing import Any

DATETIME, TIMESTAMP = 12, 7  # the protocol's numbers of these types
# Where each driver keeps what it converts values by.
CONVERSIONS = {
    "mysqldb": ("MySQLdb.converters", "conversions"),
    "pymysql": ("pymysql.converters", "conversions"),
}


def conversions(driver: str) -> dict[str, Any]:
    """Arguments for connections of a driver, by its SQLAlchemy name."""
    if driver not in CONVERSIONS:
        return {}
    module, name = CONVERSIONS[driver]
    known = getattr(import_module(module), name)
    return {"conv": {**known, DATETIME: read, TIMESTAMP: read}}


def read(text: str | bytes) -> datetime | None:
    """A moment as the database writes it, which is in UTC; its zero date, which is none, is None.

    Giving it its zone later would take ten times as long.
    """
    try:
        return datetime.fromisoformat(f"{text if isinstance(text, str) else text.decode()}+00:00")
    except ValueError:
        return None
