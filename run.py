"""The application: `flask --app run ...`, `gunicorn 'run:create_app()'`. Nothing imports this."""

from flask import Flask
from flask_migrate import Migrate

import mod_ci.models
import mod_sample.models  # noqa: F401  both bring every table into the metadata
from config import ROOT, Settings
from database import db, init_database
from mod_auth.commands import accounts


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Raises SettingsError when a setting cannot be used."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder=None)
    app.extensions["settings"] = settings
    init_database(app, settings.database_url)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    app.cli.add_command(accounts)
    return app
