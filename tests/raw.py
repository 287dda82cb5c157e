"""A program that shares the database and knows nothing of ours, such as the existing site."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
from sqlalchemy.engine import make_url


class Raw:
    """One connection of the plain driver, which keeps foreign keys and commits at once.

    Parameters are written `?` and names with backticks on both databases.
    """

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        self.is_sqlite = parts.drivername == "sqlite"
        self.connection: Any
        if self.is_sqlite:
            self.connection = sqlite3.connect(
                parts.database or "", timeout=30, isolation_level=None, check_same_thread=False
            )
            self.connection.execute("PRAGMA foreign_keys = ON")
        else:
            self.connection = pymysql.connect(
                host=parts.host,
                port=parts.port or 3306,
                user=parts.username,
                password=parts.password or "",
                database=parts.database,
                charset="utf8mb4",
                autocommit=True,
            )
        self.last_id: int | None = None

    def execute(self, statement: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; `last_id` is the id that an INSERT was given."""
        if not self.is_sqlite:
            statement = statement.replace("%", "%%").replace("?", "%s")
        cursor = self.connection.cursor()
        try:
            # An empty tuple, not None: pymysql then still reads `%%` as `%`.
            cursor.execute(statement, tuple(params))
            self.last_id = cursor.lastrowid
            return list(cursor.fetchall())
        finally:
            cursor.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several statements as one; rolled back on anything raised."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()
