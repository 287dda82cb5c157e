"""`flask logs ...`: what a timer does about logs."""

import click
from flask.cli import AppGroup

from mod_api import application
from mod_api.services.logs import log_archive

logs = AppGroup("logs", help="Logs of runs.")


@logs.command("keep")
def keep() -> None:
    """Keep the logs of ended runs in the bucket, with their sizes and hashes (a timer)."""
    count = log_archive.keep_all(
        settings=application.settings(),
        repository=application.repository(),
    )
    click.echo(f"Kept the logs of {count} runs.")
