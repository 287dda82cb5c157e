"""`flask rollup ...`: rebuild what is kept of ended runs, and hold it against the truth."""

import sys

import click
from flask.cli import AppGroup

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
