"""`flask queue` and `flask repository`: commands for timers and operators."""

import click
from flask import current_app
from flask.cli import AppGroup

from database import reading
from mod_ci import job_queue, stored_files
from mod_ci import queue as services
from mod_sample.storage import Repository, copy_missing

DAY_SECONDS = 24 * 3600

queue = AppGroup("queue", help="The queues of runs and jobs.")
repository = AppGroup("repository", help="The stored files.")


@queue.command("expire")
def expire() -> None:
    """Write down the leases that have expired; what was lost three times is ended."""
    count = services.expire() + job_queue.expire()
    click.echo(f"Leases that had expired: {count}.")


@repository.command("sweep")
@click.option(
    "--older-than",
    type=click.IntRange(0),
    default=DAY_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Untouched for so long.",
)
def sweep(older_than: int) -> None:
    """Remove uploads that were broken off and left their temporary files behind."""
    local = _repository().local
    if local is None:
        click.echo("There is no repository folder, only a bucket: nothing to sweep.")
        return
    count = local.sweep(older_than)
    click.echo(f"Temporary files removed: {count}.")


@repository.command("sync")
def sync() -> None:
    """Copy what only one of the folder and the bucket has to the other; exit 1 if any failed."""
    stored = _repository()
    if stored.local is None or stored.bucket is None:
        raise click.ClickException(
            "Set both SAMPLE_REPOSITORY and GCS_BUCKET to copy between them."
        )
    with reading():
        names = list(stored_files.names())
    report = copy_missing(stored, names)
    for name, problem in report.failed.items():
        click.echo(f"{name}: {problem}", err=True)
    click.echo(
        f"Copied: {len(report.copied)}, already in both: {len(report.complete)}, "
        f"in neither: {len(report.missing)}, failed: {len(report.failed)}."
    )
    if report.failed:
        raise SystemExit(1)


def _repository() -> Repository:
    found: Repository = current_app.extensions["repository"]
    return found
