"""`flask rollup ...`: rebuild what is kept of ended runs, and hold it against the truth."""

import sys

import click
from flask.cli import AppGroup

from database import db, reading
from mod_test import trigger_definers
from mod_test.rollup import rebuild as rebuilding
from mod_test.rollup import verify as verifying

rollup = AppGroup("rollup", help="What is kept of ended runs.")
NOTHING = "Nothing is kept: everything is derived."
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
    with reading():
        is_kept = verifying.is_anything_kept()
    if not is_kept:
        click.echo(NOTHING)
    count = 0
    for difference in verifying.differences():
        count += 1
        click.echo(f"{difference.subject}: {difference.what}")
    click.echo(f"{count} differ." if count else "Everything agrees.")
    sys.exit(1 if count else 0)


@rollup.command("adopt")
def adopt() -> None:
    """Make the triggers anew as this account of the database: the one that made them is to go, or
    is gone, and then nobody can write."""
    with db.engine.begin() as connection:
        if trigger_definers.are_hidden(connection):
            raise click.ClickException("This account of the database lacks the right TRIGGER.")
        count = trigger_definers.adopt(connection)
    click.echo(f"Triggers made anew: {count}.")
