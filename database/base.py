"""The base class of every table, and the arguments that tables share."""

from typing import Any

from sqlalchemy import Index, MetaData
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """Every table: the given ones of the existing platform (`info["given"]`) and our own."""

    metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})
    __table_args__: Any = {
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_general_ci",
    }


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
