"""The database: one session per request, enum and UTC types, and what differs by dialect.

SQLite and MariaDB (or MySQL) are equals here. What one of them does otherwise than the other
(beginning a transaction, the clock, exact comparison) is written in this module and nowhere else.
"""

import enum
import random
import string
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    Dialect,
    Engine,
    Float,
    Index,
    MetaData,
    Select,
    String,
    event,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql import expression
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

from database_timing import time_statements, time_transactions

SQLITE_BUSY_SECONDS = 30
DEADLOCK = 1213
TRIES = 6
T = TypeVar("T")


class Base(DeclarativeBase):
    """Every table: the given ones of the existing platform (`info["given"]`) and our own."""

    metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})
    __table_args__: Any = {
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_general_ci",
    }


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False, "autoflush": False})
time_transactions(db.session)


def key(column: str) -> Index:
    """The index of a foreign key. MariaDB makes its own, which is the one the given schema has."""
    return Index(None, column).ddl_if(dialect="sqlite")


def given(*arguments: Any) -> tuple[Any, ...]:
    """`__table_args__` of a table whose names the existing platform gives.

    SQLite must not hand out a deleted row's id again: other rows may still speak of it.
    """
    return *arguments, {
        **Base.__table_args__,
        "info": {"given": True},
        "sqlite_autoincrement": True,
    }


def ours(*arguments: Any) -> tuple[Any, ...]:
    """`__table_args__` of a table of our own."""
    return *arguments, {**Base.__table_args__, "sqlite_autoincrement": True}


class EnumText(TypeDecorator[enum.StrEnum]):
    """An enum kept as its word. A word that the enum does not know reads as None."""

    impl = String(50)
    cache_ok = True

    def __init__(self, kind: type[enum.StrEnum]) -> None:
        super().__init__()
        self.kind = kind
        self._members = {member.value: member for member in kind}

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> enum.StrEnum | None:
        return self._members.get(value)


class Bytewise(TypeDecorator[str]):
    """A short text of `most` characters that is compared and grouped byte by byte everywhere."""

    impl = String
    cache_ok = True

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.VARBINARY(self.most * 4))
        return dialect.type_descriptor(String(self.most))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        return value if dialect.name == "sqlite" or value is None else value.encode()

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return value.decode() if isinstance(value, bytes) else value


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, without zone in the database, as the given tables have it.

    `fraction=True` keeps milliseconds (our own tables); the given tables have whole seconds, which
    MariaDB would get by cutting, MySQL by rounding into the future, and SQLite not at all.
    """

    impl = DateTime
    cache_ok = True

    def __init__(self, *, fraction: bool = False) -> None:
        super().__init__()
        self.fraction = fraction

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb") and self.fraction:
            return dialect.type_descriptor(mysql.DATETIME(fsp=3))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no zone")
        value = value.astimezone(UTC).replace(tzinfo=None)
        return value.replace(microsecond=value.microsecond // 1000 * 1000 if self.fraction else 0)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """This process's clock: UTC, whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class utc_now(expression.FunctionElement[datetime]):  # noqa: N801  reads as the SQL function it is
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


class utc_after(expression.FunctionElement[datetime]):  # noqa: N801  as above
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


class epoch_ms(expression.FunctionElement[float]):  # noqa: N801  as above
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


class exact(expression.FunctionElement[str]):  # noqa: N801  as above
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


class unindexed(expression.FunctionElement[Any]):  # noqa: N801  as above
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


def in_this_order(statement: Select[Any]) -> Select[Any]:
    """A statement whose tables are joined in the order in which it names them.

    Where a few rows lead to the others, MariaDB sometimes begins at the other end: what it knows
    of a derived table is a guess. SQLite looks such a table up first by itself.
    """
    for dialect in ("mysql", "mariadb"):
        statement = statement.prefix_with("STRAIGHT_JOIN", dialect=dialect)
    return statement


class contains_text(expression.FunctionElement[bool]):  # noqa: N801  as above
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


def contains(column: Any, needle: str) -> contains_text:
    """Whether `column` contains `needle` as text, ignoring the case of ASCII letters only."""
    return contains_text(column, needle.translate(ASCII_LOWER))


ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class is_commit(expression.FunctionElement[bool]):  # noqa: N801  as above
    """Whether a text is a full commit id: 40 hexadecimal digits."""

    type = expression.true().type
    inherit_cache = True
    name = "is_commit"


@compiles(is_commit, "sqlite")
def _is_commit_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(length({text}) = 40 AND {text} NOT GLOB '*[^0-9a-fA-F]*')"


@compiles(is_commit, "mysql")
@compiles(is_commit, "mariadb")
def _is_commit_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(CHAR_LENGTH({text}) = 40 AND {text} NOT REGEXP '[^0-9a-fA-F]')"


class is_sha256(expression.FunctionElement[bool]):  # noqa: N801  as above
    """Whether a text is a SHA-256: 64 hexadecimal digits."""

    type = expression.true().type
    inherit_cache = True
    name = "is_sha256"


@compiles(is_sha256, "sqlite")
def _is_sha256_sqlite(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(length({text}) = 64 AND {text} NOT GLOB '*[^0-9a-fA-F]*')"


@compiles(is_sha256, "mysql")
@compiles(is_sha256, "mariadb")
def _is_sha256_mysql(element: Any, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.clauses, **options)
    return f"(CHAR_LENGTH({text}) = 64 AND {text} NOT REGEXP '[^0-9a-fA-F]')"


class is_repository(expression.FunctionElement[bool]):  # noqa: N801  as above
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


def init_database(app: Flask, url: str) -> None:
    """Bind `db` to an application and make its connections behave alike on every database."""
    parts = make_url(url)
    if parts.drivername == "sqlite":
        Path(parts.database or "").parent.mkdir(parents=True, exist_ok=True)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    db.init_app(app)
    with app.app_context():
        prepare(db.engine)
        time_statements(db.engine)


def engine_options(url: str) -> dict[str, Any]:
    """Pool and dialect options of an engine for `url`."""
    if make_url(url).drivername == "sqlite":
        return {
            "connect_args": {"timeout": SQLITE_BUSY_SECONDS},
            "pool_size": 20,
            "max_overflow": 40,
        }
    return {
        "pool_pre_ping": True,
        "pool_recycle": 1800,
        "pool_size": 20,
        "max_overflow": 40,
        "isolation_level": "REPEATABLE READ",
        "connect_args": {
            "charset": "utf8mb4",
            "connect_timeout": 5,
            "read_timeout": 60,
            "write_timeout": 60,
        },
    }


def prepare(engine: Engine) -> None:
    """Make transactions begin as `writing` asks, and SQLite keep foreign keys."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _connected_sqlite)
        event.listen(engine, "begin", _begun_sqlite)
    else:
        event.listen(engine, "connect", _connected_mysql)
        event.listen(engine, "begin", _begun_mysql)


def _connected_mysql(connection: Any, record: Any) -> None:
    # MariaDB reads EXISTS as IN, and then reads the whole inner table, 2 million rows, for what an
    # index finds for a page of outer rows. MySQL does not know the switch.
    if "MariaDB" in connection.get_server_info():
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION optimizer_switch = 'exists_to_in=off'")


def _connected_sqlite(connection: Any, record: Any) -> None:
    # The driver must not begin on its own: it would begin late, as a reader.
    connection.isolation_level = None
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begun_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begun_mysql(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes") and not options.get("snapshot"):
        # For this transaction only: one question to the server, where SQLAlchemy's own option
        # changes the session, changes it back, and commits both times.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")


def begin_writing(*, snapshot: bool = False) -> None:
    """Begin this session's transaction as one that writes (decision 5).

    SQLite: BEGIN IMMEDIATE, since a reader that turns writer may fail at once. MariaDB: READ
    COMMITTED, so that what is read after taking a lock is what the lock protects; with `snapshot`
    REPEATABLE READ, whose one snapshot begins at the first read that does not lock.
    """
    db.session.connection(execution_options={"writes": True, "snapshot": snapshot})


@contextmanager
def writing(*, snapshot: bool = False) -> Iterator[None]:
    """One unit of work that writes: committed at the end, rolled back on anything raised."""
    db.session.rollback()
    begin_writing(snapshot=snapshot)
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


@contextmanager
def reading() -> Iterator[None]:
    """One unit of work that reads one snapshot and gives its connection back at the end."""
    db.session.rollback()
    try:
        yield
    finally:
        db.session.rollback()


def has_trigger(name: str) -> bool:
    """Whether the database has a trigger of this name that this account may know of."""
    if db.engine.dialect.name == "sqlite":
        found = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = :name"
    else:
        found = (
            "SELECT 1 FROM information_schema.triggers "
            "WHERE trigger_schema = DATABASE() AND trigger_name = :name"
        )
    return db.session.execute(text(found), {"name": name}).first() is not None


def written(work: Callable[[], T]) -> T:
    """Do `work` as one unit of work that writes, and return what it returned.

    MariaDB may choose a transaction as a deadlock's victim at any statement; the work is then done
    again from its start, which is what it would have been asked for anyway.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with writing():
                return work()
        except OperationalError as error:
            victim = error.orig is not None and error.orig.args[:1] == (DEADLOCK,)
            if not victim or attempt == TRIES:
                raise
            time.sleep(0.01 * attempt * random.uniform(0.5, 1.5))  # noqa: S311  parts the two
    raise AssertionError("unreachable")
