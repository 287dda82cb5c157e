"""`flask rollup ...`: rebuild what is kept of ended runs, and hold it against the truth."""

import sys

import click
from flask.cli import AppGroup

from database import db
from mod_auth.commands import told_in_one_line
from mod_test import trigger_owners
from mod_test.rollup import rebuild as rebuilding

rollup = AppGroup("rollup", help="What is kept of ended runs.")
NO_TRIGGERS = "This account may not create triggers: nothing is kept, everything is derived."


@rollup.command("rebuild")
@click.option("--after", default=0, help="Resume behind this run id.")
def rebuild(after: int) -> None:
    """Derive every run anew, in batches; broken off, it is resumed with --after."""
    if not rebuilding.prepare():
        click.echo(NO_TRIGGERS)
        return
    done = 0
    for last, done in rebuilding.rebuild(after=after):
        click.echo(f"{done} runs, up to run {last}")
    click.echo(f"Done: {done} runs.")


@rollup.command("verify")
def verify() -> None:
    """Compare everything that is kept with a full derivation; exit status 1 on a difference."""
    count = 0
    for difference in rebuilding.verify():
        count += 1
        click.echo(f"run {difference.run_id}: kept {difference.kept}, is {difference.derived}")
    click.echo(f"{count} runs differ." if count else "Everything agrees.")
    sys.exit(1 if count else 0)


@rollup.command("adopt")
@told_in_one_line
def adopt() -> None:
    """Make the triggers anew as this account of the database: the one that made them is to go, or
    is gone, and then nobody can write."""
    with db.engine.begin() as connection:
        count = trigger_owners.adopt(connection)
    click.echo(f"Triggers made anew: {count}.")
