"""`flask jobs ...`: what a timer does about jobs."""

import click
from flask.cli import AppGroup

from mod_api import application
from mod_api.services.jobs import retention

jobs = AppGroup("jobs", help="Submitted projects.")


@jobs.command("expire")
def expire() -> None:
    """Remove ended jobs that are older than JOB_RETENTION, with their files (a timer)."""
    count = retention.expire(application.settings(), application.repository())
    click.echo(f"Jobs removed: {count}.")
