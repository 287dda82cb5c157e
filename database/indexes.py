"""Indexes are made and dropped while others read and write: the tables are other programs', too.

Whoever does so, by a table, a model or a migration: MariaDB and MySQL do it online, or refuse.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, Index, MetaData, Table, inspect, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, DropIndex


def create_missing(connection: Connection, tables: Iterable[Table]) -> None:
    """Create each table that is missing, and each index, also of a table that is there: it may have
    been created by an upgrade that was killed before its indexes were made.

    A column that a table of ours lacks is added if it may be NULL.
    """
    for table in tables:
        table.create(connection, checkfirst=True)
        if not table.info.get("given"):
            _add_columns(connection, table)
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection, checkfirst=True)


def _add_columns(connection: Connection, table: Table) -> None:
    known = {column["name"] for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name not in known and column.nullable:
            kind = column.type.compile(connection.dialect)
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))


def add_own_key(connection: Connection, table: str, column: str, *, beside: str) -> None:
    """Give a foreign key an index of its own, if it has none `beside` one that serves it as well.

    MariaDB makes one with the foreign key, drops it for another that serves as well, and then does
    not let go of that.
    """
    others = [key for key in inspect(connection).get_indexes(table) if key["name"] != beside]
    if not any(key["column_names"][0] == column for key in others):
        described = Table(table, MetaData(), Column(column))
        Index(column, described.c[column]).create(connection)


@compiles(CreateIndex, "mysql", "mariadb")
def _created_online(create: CreateIndex, compiler: Any, **options: Any) -> str:
    return f"{compiler.visit_create_index(create, **options)} ALGORITHM=INPLACE LOCK=NONE"


@compiles(DropIndex, "mysql", "mariadb")
def _dropped_online(drop: DropIndex, compiler: Any, **_: Any) -> str:
    table = compiler.preparer.format_table(drop.element.table)
    index = compiler.preparer.format_index(drop.element)
    return f"ALTER TABLE {table} DROP INDEX {index}, ALGORITHM=INPLACE, LOCK=NONE"
