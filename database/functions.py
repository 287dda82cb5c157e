"""Functions and operators of SQL that each database writes in its own way."""

import string
from datetime import datetime
from typing import Any

from sqlalchemy import Float, Integer, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import expression
from sqlalchemy.sql.compiler import SQLCompiler

from database.column_types import UtcDateTime

ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class utc_now(expression.FunctionElement[datetime]):
    """The database's clock, which every process shares: UTC with milliseconds."""

    type = UtcDateTime(fraction=True)
    inherit_cache = True
    name = "utc_now"


@compiles(utc_now, "sqlite")
def _utc_now_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


@compiles(utc_now, "mysql")
@compiles(utc_now, "mariadb")
def _utc_now_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return "UTC_TIMESTAMP(3)"


class utc_after(expression.FunctionElement[datetime]):
    """The database's clock plus a number of seconds: `utc_after(60)`."""

    type = UtcDateTime(fraction=True)
    inherit_cache = True
    name = "utc_after"

    def __init__(self, seconds: Any) -> None:
        super().__init__(expression.literal(seconds) if isinstance(seconds, int) else seconds)


@compiles(utc_after, "sqlite")
def _utc_after_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"


@compiles(utc_after, "mysql")
@compiles(utc_after, "mariadb")
def _utc_after_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"(UTC_TIMESTAMP(3) + INTERVAL {compiler.process(element.clauses, **options)} SECOND)"


class last_row_id(expression.FunctionElement[int]):
    """The id that the database gave the last row that was inserted by this connection.

    An INSERT of a row that brings its id with it does not count, unless it is that very id.
    """

    type = Integer()
    inherit_cache = True
    name = "last_row_id"


@compiles(last_row_id, "sqlite")
def _last_row_id_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return "last_insert_rowid()"


@compiles(last_row_id, "mysql")
@compiles(last_row_id, "mariadb")
def _last_row_id_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return "LAST_INSERT_ID()"


class chosen(expression.FunctionElement[Any]):
    """A column whose value in the first row is `CHOSEN` for what is asked in the same message (see
    `database.statements.fetch_chosen`)."""

    inherit_cache = True
    name = "chosen"

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(chosen, "sqlite")
def _chosen_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(chosen, "mysql")
@compiles(chosen, "mariadb")
def _chosen_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"(@chosen := {compiler.process(element.clauses, **options)})"


class epoch_ms(expression.FunctionElement[float]):
    """A moment as milliseconds since 1970, for differences."""

    type = Float()
    inherit_cache = True
    name = "epoch_ms"


@compiles(epoch_ms, "sqlite")
def _epoch_ms_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **options)}) - 2440587.5) * 86400000)"


@compiles(epoch_ms, "mysql")
@compiles(epoch_ms, "mariadb")
def _epoch_ms_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    # A difference of days and time, not UNIX_TIMESTAMP, which would read UTC as the session's zone.
    moment = compiler.process(element.clauses, **options)
    return f"(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {moment}) / 1000)"


class exact(expression.FunctionElement[str]):
    """A text compared byte by byte, also where MariaDB's collation folds case, accents or emoji."""

    type = String()
    inherit_cache = True
    name = "exact"


@compiles(exact, "sqlite")
def _exact_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(exact, "mysql")
@compiles(exact, "mariadb")
def _exact_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS BINARY)"


class unindexed(expression.FunctionElement[Any]):
    """A column that SQLite is to compare or sort by without an index.

    Second in an order, SQLite 3.40 drops a column where it takes the first one for unique, which it
    is not once another table is joined to it row by row; and where a condition holds for nearly
    every row, its index leads the wrong way.
    """

    inherit_cache = True
    name = "unindexed"


@compiles(unindexed, "sqlite")
def _unindexed_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return f"(+{compiler.process(element.clauses, **options)})"


@compiles(unindexed, "mysql")
@compiles(unindexed, "mariadb")
def _unindexed_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


class contains_text(expression.FunctionElement[bool]):
    """`contains_text(column, needle)`, the needle in ASCII lower case: no pattern is involved."""

    type = expression.true().type
    inherit_cache = True
    name = "contains_text"


@compiles(contains_text, "sqlite")
def _contains_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text, needle = (compiler.process(part, **options) for part in element.clauses)
    return f"(instr(lower({text}), {needle}) > 0)"


@compiles(contains_text, "mysql")
@compiles(contains_text, "mariadb")
def _contains_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    # LOWER would fold every alphabet, which SQLite's does not: the ASCII letters one by one.
    text, needle = (compiler.process(part, **options) for part in element.clauses)
    for letter in string.ascii_uppercase:
        text = f"REPLACE({text}, '{letter}', '{letter.lower()}')"
    return f"(LOCATE(CAST({needle} AS BINARY), CAST({text} AS BINARY)) > 0)"


class hex_digits(expression.FunctionElement[bool]):
    """Whether a text is so many hexadecimal digits and nothing else; its kinds say how many."""

    type = expression.true().type
    inherit_cache = True
    number: int


@compiles(hex_digits, "sqlite")
def _hex_digits_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(length({text}) = {element.number} AND {text} NOT GLOB '*[^0-9a-fA-F]*')"


@compiles(hex_digits, "mysql")
@compiles(hex_digits, "mariadb")
def _hex_digits_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(CHAR_LENGTH({text}) = {element.number} AND {text} NOT REGEXP '[^0-9a-fA-F]')"


class is_commit(hex_digits):
    """Whether a text is a full commit id: 40 hexadecimal digits."""

    inherit_cache = True
    name = "is_commit"
    number = 40


class is_sha256(hex_digits):
    """Whether a text is a SHA-256: 64 hexadecimal digits."""

    inherit_cache = True
    name = "is_sha256"
    number = 64


class is_repository(expression.FunctionElement[bool]):
    """Whether a text is a repository's address: `https://github.com/OWNER/NAME`, `.git` or not."""

    type = expression.true().type
    inherit_cache = True
    name = "is_repository"


@compiles(is_repository, "sqlite")
def _is_repository_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    path = f"substr({text}, 20)"
    return (
        f"({text} GLOB 'https://github.com/?*/?*' AND {path} NOT GLOB '*[^A-Za-z0-9_./-]*' "
        f"AND length({path}) - length(replace({path}, '/', '')) = 1)"
    )


@compiles(is_repository, "mysql")
@compiles(is_repository, "mariadb")
def _is_repository_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    pattern = "^https://github[.]com/[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"
    return f"(CAST({text} AS BINARY) REGEXP '{pattern}' AND LOCATE(CHAR(10), {text}) = 0)"
