"""The database: one session per request, column types, and what differs by dialect.

SQLite and MariaDB (or MySQL) are equals here. What one of them does otherwise than the other
(beginning a transaction, the clock, exact comparison) is written in this package and nowhere else.
"""

from database import snapshots
from database.base import Base, db, given, key, ours
from database.clock import now
from database.column_types import Bytewise, EnumText, UtcDateTime, word
from database.connections import engine_options, has_trigger, init_database, prepare
from database.functions import (
    ASCII_LOWER,
    contains_text,
    epoch_ms,
    exact,
    in_this_order,
    is_commit,
    is_repository,
    is_sha256,
    unindexed,
    utc_after,
    utc_now,
)
from database.statements import (
    change,
    change_along,
    change_each,
    fetch,
    fetch_each,
    fetch_first,
    fetch_value,
    fetch_values,
    replace_rows,
)
from database.units import (
    begin_reading,
    end_reading,
    keep,
    reading,
    writing,
    written,
)

__all__ = [
    "ASCII_LOWER",
    "Base",
    "Bytewise",
    "EnumText",
    "UtcDateTime",
    "begin_reading",
    "change",
    "change_along",
    "change_each",
    "contains_text",
    "db",
    "end_reading",
    "engine_options",
    "epoch_ms",
    "exact",
    "fetch",
    "fetch_each",
    "fetch_first",
    "fetch_value",
    "fetch_values",
    "given",
    "has_trigger",
    "in_this_order",
    "init_database",
    "is_commit",
    "is_repository",
    "is_sha256",
    "keep",
    "key",
    "now",
    "ours",
    "prepare",
    "reading",
    "replace_rows",
    "snapshots",
    "unindexed",
    "utc_after",
    "utc_now",
    "word",
    "writing",
    "written",
]
