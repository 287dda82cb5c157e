"""Runs the migrations on the application's database, one process at a time.

Our version table is our own: the existing site's `alembic_version` stays untouched.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from alembic import context
from flask import current_app
from sqlalchemy import Connection, Engine, create_engine, text

from database import TableHeldError, engine_options, prepare

VERSION_TABLE = "api_alembic_version"
LOCK = "CONCAT('api_migrations.', SHA1(DATABASE()))"
LOCK_SECONDS = 3600


def run() -> None:
    engine = own_engine()
    try:
        with engine.connect() as connection, alone(connection):
            context.configure(
                connection=connection, version_table=VERSION_TABLE, transaction_per_migration=True
            )
            with context.begin_transaction():
                context.run_migrations()
    except TableHeldError as error:
        raise click.ClickException(str(error)) from None
    finally:
        engine.dispose()


def own_engine() -> Engine:
    """The application's engine without its time limits: an index of a large table takes minutes."""
    url = current_app.extensions["migrate"].db.engine.url
    options = engine_options(url.render_as_string(hide_password=False))
    for limit in ("read_timeout", "write_timeout"):
        options["connect_args"].pop(limit, None)
    engine = create_engine(url, execution_options={"writes": True}, **options)
    prepare(engine)
    return engine


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Let no other process migrate this database meanwhile.

    SQLite: one transaction holds everything, and the write lock. MariaDB cannot undo its DDL, so
    there a lock by name keeps others out, and each step can be run again after a failure.
    """
    if connection.dialect.name == "sqlite":
        with connection.begin():
            yield
        return
    if connection.execute(text(f"SELECT GET_LOCK({LOCK}, {LOCK_SECONDS})")).scalar() != 1:
        raise RuntimeError("Another process has been migrating this database for an hour.")
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT RELEASE_LOCK({LOCK})"))
        connection.commit()


run()
