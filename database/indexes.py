"""Indexes are made and dropped while others read and write: the tables are other programs', too.

Whoever does so, by a table, a model or a migration: MariaDB and MySQL do it online, or refuse.
"""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex, DropIndex


@compiles(CreateIndex, "mysql", "mariadb")
def _created_online(create: CreateIndex, compiler: Any, **options: Any) -> str:
    return f"{compiler.visit_create_index(create, **options)} ALGORITHM=INPLACE LOCK=NONE"


@compiles(DropIndex, "mysql", "mariadb")
def _dropped_online(drop: DropIndex, compiler: Any, **_: Any) -> str:
    table = compiler.preparer.format_table(drop.element.table)
    index = compiler.preparer.format_index(drop.element)
    return f"ALTER TABLE {table} DROP INDEX {index}, ALGORITHM=INPLACE, LOCK=NONE"
