"""Upgrade and downgrade the tables from within a program; by hand it is `flask db ...`.

Alembic is imported when it is needed: the server never needs it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, current_app

from database.units import db

if TYPE_CHECKING:
    from collections.abc import Callable

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def install(app: Flask) -> None:
    """Give an application Flask-Migrate and its commands `db ...`."""
    if "migrate" in app.extensions:
        return
    from flask_migrate import Migrate

    Migrate(app, db, directory=str(MIGRATIONS))


def upgrade(revision: str = "head") -> None:
    """Upgrade the database of the current application."""
    import flask_migrate

    _change(flask_migrate.upgrade, revision)


def downgrade(revision: str = "base") -> None:
    """Downgrade the database of the current application."""
    import flask_migrate

    _change(flask_migrate.downgrade, revision)


def _change(change: "Callable[..., None]", revision: str) -> None:
    install(current_app._get_current_object())  # type: ignore[attr-defined]  # the proxy's own
    change(revision=revision)
