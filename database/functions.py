"""Functions and operators of SQL that each database writes in its own way."""

import string
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Float, Integer, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression
from sqlalchemy.sql.compiler import SQLCompiler

from database.column_types import UtcDateTime

# As a value of a statement's list where there is none: no INT of MariaDB can be it.
NO_ID = -(2**62)
ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
T = TypeVar("T")


class Written(expression.FunctionElement[T]):
    """A function that is `sqlite` or `mysql`, where `{0}` and `{1}` are its arguments."""

    inherit_cache = True
    sqlite: str
    mysql: str


@compiles(Written)
def _written(element: Written[Any], compiler: SQLCompiler, **options: Any) -> str:
    arguments = [compiler.process(each, **options) for each in element.clauses]
    text = element.sqlite if compiler.dialect.name == "sqlite" else element.mysql
    return text.format(*arguments)


class utc_now(Written[datetime]):
    """The database's clock, which every process shares: UTC with milliseconds."""

    type = UtcDateTime(fraction=True)
    inherit_cache = True
    name = "utc_now"
    sqlite = "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"
    mysql = "UTC_TIMESTAMP(3)"


class utc_after(Written[datetime]):
    """The database's clock plus a number of seconds: `utc_after(60)`."""

    type = UtcDateTime(fraction=True)
    inherit_cache = True
    name = "utc_after"
    sqlite = "(strftime('%Y-%m-%d %H:%M:%f', 'now', {0} || ' seconds') || '000')"
    mysql = "(UTC_TIMESTAMP(3) + INTERVAL {0} SECOND)"

    def __init__(self, seconds: Any) -> None:
        super().__init__(expression.literal(seconds) if isinstance(seconds, int) else seconds)


class last_row_id(Written[int]):
    """The id that the database gave the last row that was inserted by this connection.

    An INSERT of a row that brings its id with it does not count, unless it is that very id.
    """

    type = Integer()
    inherit_cache = True
    name = "last_row_id"
    sqlite = "last_insert_rowid()"
    mysql = "LAST_INSERT_ID()"


class chosen(Written[Any]):
    """A column whose value in the first row is `CHOSEN` for later statements of its `Batch`."""

    inherit_cache = True
    name = "chosen"
    sqlite = "{0}"
    mysql = "(@chosen := {0})"

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


class epoch_ms(Written[float]):
    """A moment as milliseconds since 1970, for differences."""

    type = Float()
    inherit_cache = True
    name = "epoch_ms"
    sqlite = "((julianday({0}) - 2440587.5) * 86400000)"
    # A difference of days and time, not UNIX_TIMESTAMP, which would read UTC as the session's zone.
    mysql = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {0}) / 1000)"


class later_of(Written[datetime]):
    """The later of two moments; NULL where one is."""

    type = UtcDateTime(fraction=True)
    inherit_cache = True
    name = "later_of"
    sqlite = "max({0}, {1})"
    mysql = "GREATEST({0}, {1})"


class exact(Written[str]):
    """A text compared byte by byte, also where MariaDB's collation folds case, accents or emoji."""

    type = String()
    inherit_cache = True
    name = "exact"
    sqlite = "{0}"
    mysql = "CAST({0} AS BINARY)"


class unindexed(Written[Any]):
    """A column that SQLite is to compare or sort by without an index.

    Second in an order, SQLite 3.40 drops a column where it takes the first one for unique, which it
    is not once another table is joined to it row by row; and where a condition holds for nearly
    every row, its index leads the wrong way.
    """

    inherit_cache = True
    name = "unindexed"
    sqlite = "(+{0})"
    mysql = "{0}"


def _ascii_lower(text: str) -> str:
    """LOWER would fold every alphabet, which SQLite's does not: the ASCII letters one by one."""
    for letter in string.ascii_uppercase:
        text = f"REPLACE({text}, '{letter}', '{letter.lower()}')"
    return text


class contains_text(Written[bool]):
    """`contains_text(column, needle)`, the needle in ASCII lower case: no pattern is involved."""

    type = expression.true().type
    inherit_cache = True
    name = "contains_text"
    sqlite = "(instr(lower({0}), {1}) > 0)"
    mysql = f"(LOCATE(CAST({{1}} AS BINARY), CAST({_ascii_lower('{0}')} AS BINARY)) > 0)"


def _hex_digits(number: int) -> tuple[str, str]:
    """Whether a text is so many hexadecimal digits and nothing else, as each database asks it."""
    return (
        f"(length({{0}}) = {number} AND {{0}} NOT GLOB '*[^0-9a-fA-F]*')",
        f"(CHAR_LENGTH({{0}}) = {number} AND {{0}} NOT REGEXP '[^0-9a-fA-F]')",
    )


class is_commit(Written[bool]):
    """Whether a text is a full commit id: 40 hexadecimal digits."""

    type = expression.true().type
    inherit_cache = True
    name = "is_commit"
    sqlite, mysql = _hex_digits(40)


class is_sha256(Written[bool]):
    """Whether a text is a SHA-256: 64 hexadecimal digits."""

    type = expression.true().type
    inherit_cache = True
    name = "is_sha256"
    sqlite, mysql = _hex_digits(64)


class is_repository(Written[bool]):
    """Whether a text is a repository's address: `https://github.com/OWNER/NAME`, `.git` or not."""

    type = expression.true().type
    inherit_cache = True
    name = "is_repository"
    sqlite = (
        "({0} GLOB 'https://github.com/?*/?*' AND substr({0}, 20) NOT GLOB '*[^A-Za-z0-9_./-]*' "
        "AND length(substr({0}, 20)) - length(replace(substr({0}, 20), '/', '')) = 1)"
    )
    mysql = (
        "(CAST({0} AS BINARY) REGEXP '^https://github[.]com/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$' "
        "AND LOCATE(CHAR(10), {0}) = 0)"
    )
