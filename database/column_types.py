"""Types of columns that read alike on every database: enums, short texts, moments in UTC."""

import enum
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import BigInteger, Dialect, Integer, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

WORD_LENGTH = 20


class EnumText(TypeDecorator[enum.StrEnum]):
    """An enum kept as its word. A word that the enum does not know reads as None.

    `plain`: nobody else writes it, so it is a `word` of ours.
    """

    impl = String(50)
    cache_ok = True

    def __init__(self, kind: type[enum.StrEnum], *, plain: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.plain = plain
        self._members = {member.value: member for member in kind}

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(word(WORD_LENGTH) if self.plain else String(50))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.kind(value).value

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return self._members.get


def word(most: int) -> TypeEngine[str]:
    """A word of ours of at most `most` ASCII characters: MariaDB compares it byte by byte, which is
    several times as quick as by a collation."""
    kept = mysql.VARCHAR(most, charset="ascii", collation="ascii_bin")
    return String(most).with_variant(kept, "mysql", "mariadb")


def long_text() -> TypeEngine[str]:
    """A text that may have more than the 65,535 bytes of MariaDB's usual one."""
    return Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def long_id() -> TypeEngine[int]:
    """The id of a table whose rows come and go so quickly that 32 bits would not last. SQLite gives
    numbers by itself only to an INTEGER, which has 64."""
    return BigInteger().with_variant(Integer(), "sqlite")


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

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            return None  # `database.moments` reads them in UTC
        read = super().result_processor(dialect, coltype)

        def read_or_none(value: Any) -> datetime | None:
            if value is None:
                return None
            try:
                moment: Any = read(value) if read else value
                return cast("datetime", moment.replace(tzinfo=UTC))
            except ValueError:  # another program's text is no moment
                return None

        return read_or_none
