"""`flask outbox ...`: delivering messages to others."""

import time

import click
from flask.cli import AppGroup

from mod_api import application
from mod_api.services.webhooks import delivering

PAUSE_SECONDS = 2.0

outbox = AppGroup("outbox", help="Messages to others: webhooks.")


@outbox.command("deliver")
@click.option("--follow", is_flag=True, help="Go on, looking every two seconds.")
def deliver(follow: bool) -> None:
    """Deliver the messages that are due (a timer). Several may do it at once."""
    app = application.current()
    while True:
        outcomes = delivering.deliver(app)
        if outcomes or not follow:
            told = ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items()))
            click.echo(f"Deliveries tried: {told or 'none'}.")
        if not follow:
            return
        time.sleep(PAUSE_SECONDS)
