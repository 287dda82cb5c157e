"""`db`, which holds one session per request, and what every table is made of."""

from typing import Any

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session
from sqlalchemy import Connection, Engine, Index, MetaData
from sqlalchemy.orm import DeclarativeBase

from database import snapshots, writers
from database.timing import time_transactions


class Base(DeclarativeBase):
    """Every table: the given ones of the existing platform (`info["given"]`) and our own."""

    metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s"})
    __table_args__: Any = {
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_general_ci",
    }


class UnitSession(Session):
    """A session that reads in the thread's snapshot, or writes in its unit of work, where there is
    one: beginning, committing and rolling back is then left to that."""

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        snapshot = snapshots.current()
        if snapshot is not None:
            return snapshot.connection
        return writers.current() or super().get_bind(*args, **kwargs)


db = SQLAlchemy(
    model_class=Base,
    session_options={"class_": UnitSession, "expire_on_commit": False, "autoflush": False},
)
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
