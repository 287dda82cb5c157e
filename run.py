"""The application: `flask --app run ...`, `gunicorn 'run:create_app()'`. Nothing imports this."""

from flask import Flask

import command_line
import json_log
import mod_job.models  # noqa: F401
import mod_outbox.models  # noqa: F401
import mod_test.rollup.tables  # noqa: F401  these bring every table into the metadata
from config import Settings
from database import init_database
from mod_sample.storage import open_repository


def create_app(settings: Settings | None = None) -> Flask:
    """Build the application; for a command of ours (`command_line.py`) without its routes.

    Raises SettingsError when a setting cannot be used.
    """
    with command_line.one_sentence():
        app = _create_core(settings or Settings.from_environment())
    if command_line.needs_routes():
        from mod_api.api import init_api

        init_api(app, app.extensions["settings"])
    return app


def _create_core(settings: Settings) -> Flask:
    """Build what a command needs, too: settings, storage, database, commands."""
    json_log.install()
    app = Flask(__name__, static_folder=None)
    app.cli = command_line.Commands(app)
    app.extensions["settings"] = settings
    app.extensions["repository"] = open_repository(settings.sample_repository, settings.gcs_bucket)
    init_database(app, settings.database_url)
    return app
