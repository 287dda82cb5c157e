"""`flask check`: what this installation lacks."""

from collections.abc import Iterator

import click
from flask import Flask
from flask.cli import with_appcontext

from config import Settings
from database import reading
from mod_api import application
from mod_api.checks import database, outbox, rollup, runs, services, settings
from mod_api.checks.finding import Finding, Level

COLORS = {Level.ok: "green", Level.warn: "yellow", Level.fail: "red"}


@click.command("check")
@with_appcontext
def check() -> None:
    """Say how each thing is that the platform stands on; exit status 1 when one does not work."""
    app = application.current()
    failed = False
    for finding in findings(app):
        failed = failed or finding.level is Level.fail
        level = click.style(f"{finding.level:<4}", fg=COLORS[finding.level])
        click.echo(f"{level}  {finding.subject:<12}  {finding.message}")
    if failed:
        raise SystemExit(1)


def findings(app: Flask) -> Iterator[Finding]:
    """All findings; what needs the database or its tables is left out where they are not there."""
    own: Settings = app.extensions["settings"]
    yield from settings.findings(own)
    yield services.limits(own)
    yield from services.storages(app.extensions["repository"])
    reachable = database.reachable()
    yield reachable
    if reachable.level is Level.fail:
        return
    tables_are_there = True
    with reading():
        for finding in database.findings():
            tables_are_there = tables_are_there and finding.level is not Level.fail
            yield finding
        if tables_are_there:
            yield from rollup.findings()
            yield from runs.findings()
            yield outbox.finding()
