"""The application: `flask --app run ...`, `gunicorn 'run:create_app()'`. Nothing imports this."""

from flask import Flask
from flask_migrate import Migrate

import mod_sample.models  # noqa: F401  both bring every table into the metadata
from config import ROOT, Settings
from database import db, init_database
from demo.commands import demo
from mod_api import init_api
from mod_api.commands import check
from mod_api.log_commands import logs
from mod_api.rollup_commands import rollup
from mod_auth.commands import accounts
from mod_ci.commands import queue, repository
from mod_sample.storage import open_repository


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application. Raises SettingsError when a setting cannot be used."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__, static_folder=None)
    app.extensions["settings"] = settings
    app.extensions["repository"] = open_repository(settings.sample_repository, settings.gcs_bucket)
    init_database(app, settings.database_url)
    Migrate(app, db, directory=str(ROOT / "migrations"))
    init_api(app, settings)
    for commands in (accounts, queue, repository, demo, logs, rollup, check):
        app.cli.add_command(commands)
    return app
