"""`flask jobs expire`: what is removed of old jobs, and what stays."""

from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from tests.jobs import runner, submitter
from tests.raw import Raw
from tests.runners import LONG_AGO, accepted


def expire(app: Flask) -> str:
    done = app.test_cli_runner().invoke(args=["jobs", "expire"])
    assert done.exit_code == 0, done.output
    return done.stdout


def age(raw: Raw, job_id: str, *columns: str) -> None:
    """Let a job have been submitted, or ended, long ago."""
    for column in columns:
        raw.execute(f"UPDATE job SET {column} = ? WHERE uuid = ?", [LONG_AGO, job_id])


def files(folder: Any, job_id: str) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and job_id in str(path)
    )


def test_an_old_ended_job_goes_with_its_rows_and_files(
    app: Flask, client: FlaskClient, raw: Raw, sample_repository: Any
) -> None:
    mine, other = submitter(client), runner(client)
    ids = [mine.submit(labels=["x"]), mine.submit()]
    for _ in ids:
        held = other.claim()
        accepted(held.append(0, b"2026-12-01T00:00:00.000Z info test_runner | hello\n"))
        accepted(held.tests({"number": 1, "nodeid": "a", "outcome": "passed"}))
        accepted(held.file("a.txt", b"a"))
        accepted(held.finish())
    old, new = ids
    age(raw, old, "created_at", "ended_at")
    assert len(files(sample_repository, old)) >= 3

    assert expire(app) == "Jobs removed: 1.\n"

    assert files(sample_repository, old) == []
    assert len(files(sample_repository, new)) >= 3
    assert client.get(f"/api/v1/jobs/{old}", headers=mine.headers).status_code == 404
    assert mine.get(new)["expires_at"] > mine.get(new)["ended_at"]
    for table in ("job_event", "job_test", "job_artifact", "job_attempt", "job_label"):
        gone = f"SELECT COUNT(*) FROM {table} WHERE job_id NOT IN (SELECT id FROM job)"
        assert raw.execute(gone)[0][0] == 0, table
    assert expire(app) == "Jobs removed: 0.\n"


def test_a_job_that_waits_or_runs_or_ended_lately_is_kept_however_old(
    app: Flask, client: FlaskClient, raw: Raw, sample_repository: Any
) -> None:
    mine, other = submitter(client), runner(client)
    ended, running, waiting = mine.submit(), mine.submit(), mine.submit()
    accepted(other.claim().finish())
    assert other.claim().job_id == running
    for job_id in (ended, running, waiting):
        age(raw, job_id, "created_at")

    assert expire(app) == "Jobs removed: 0.\n"

    assert all(files(sample_repository, job_id) for job_id in (ended, running, waiting))


def test_a_removal_that_was_broken_off_is_completed(
    app: Flask, client: FlaskClient, raw: Raw, sample_repository: Any
) -> None:
    mine, other = submitter(client), runner(client)
    job_id = mine.submit()
    accepted(other.claim().finish())
    age(raw, job_id, "created_at", "ended_at")
    (sample_repository / "JobFiles" / f"{job_id}.zip").unlink()

    assert expire(app) == "Jobs removed: 1.\n"
