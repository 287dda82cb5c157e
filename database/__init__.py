"""The database: one session per request, column types, and what differs by dialect.

SQLite and MariaDB (or MySQL) are equals here. What one of them does otherwise than the other
(beginning a transaction, the clock, exact comparison) is written in this package and nowhere else,
but for triggers: `mod_test.rollup.triggers` writes them, `mod_test.trigger_definers` knows whose
they are.
"""

from database import indexes
from database.base import Base, given, key, ours
from database.clock import now
from database.column_types import Bytewise, EnumText, UtcDateTime, long_id, long_text, word
from database.connections import engine_options, has_trigger, init_database, prepare
from database.failures import cause_of, code_and_message, log_failure
from database.functions import (
    ASCII_LOWER,
    NO_ID,
    chosen,
    contains_text,
    epoch_ms,
    exact,
    is_commit,
    is_repository,
    is_sha256,
    last_row_id,
    later_of,
    unindexed,
    utc_after,
    utc_now,
)
from database.giving_way import TableHeldError
from database.hints import by_index, in_this_order, not_by_index
from database.pipeline import CHOSEN, Batch, Outcome
from database.retries import persistently, written
from database.units import (
    begin_reading,
    db,
    end_reading,
    execute,
    fetch,
    fetch_first,
    fetch_value,
    fetch_values,
    keep,
    reading,
    replace_rows,
    snapshot_notes,
    writing,
)

__all__ = [
    "ASCII_LOWER",
    "CHOSEN",
    "NO_ID",
    "Base",
    "Batch",
    "Bytewise",
    "EnumText",
    "Outcome",
    "TableHeldError",
    "UtcDateTime",
    "begin_reading",
    "by_index",
    "cause_of",
    "chosen",
    "code_and_message",
    "contains_text",
    "db",
    "end_reading",
    "engine_options",
    "epoch_ms",
    "exact",
    "execute",
    "fetch",
    "fetch_first",
    "fetch_value",
    "fetch_values",
    "given",
    "has_trigger",
    "in_this_order",
    "indexes",
    "init_database",
    "is_commit",
    "is_repository",
    "is_sha256",
    "keep",
    "key",
    "last_row_id",
    "later_of",
    "log_failure",
    "long_id",
    "long_text",
    "not_by_index",
    "now",
    "ours",
    "persistently",
    "prepare",
    "reading",
    "replace_rows",
    "snapshot_notes",
    "unindexed",
    "utc_after",
    "utc_now",
    "word",
    "writing",
    "written",
]
