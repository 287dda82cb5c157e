"""Runs the migrations on the application's database.

Our version table is our own: the existing site's `alembic_version` stays untouched.
"""

from alembic import context
from flask import current_app

VERSION_TABLE = "api_alembic_version"


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        context.configure(
            connection=connection, version_table=VERSION_TABLE, transaction_per_migration=True
        )
        with context.begin_transaction():
            context.run_migrations()


run()
