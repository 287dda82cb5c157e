"""`flask demo`: the demonstration's content in an installation of one's own."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from config import INSTANCE
from database import writing

demo = AppGroup("demo", help="The demonstration's data.")


@demo.command("seed")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=INSTANCE / "demo",
    help="Where the demonstration's own files are made.",
)
def seed(folder: Path) -> None:
    """Make the demonstration's samples, baselines and regression tests; what is there stays."""
    from demo.content import build  # quick start of every other command
    from demo.content import seed as into

    made = build(folder)
    into.store_files(made, current_app.extensions["repository"])
    with writing():
        added = into.insert_rows(made)
    click.echo(
        f"Regression tests added: {added}, of {len(made.tests)}. Good commit: {made.good_commit}. "
        f"Regressed commit: {made.regressed_commit}."
    )
