"""Runner, box, web server and database are killed again and again: each job ends once.

    scripts/test -m exhaustive tests/jobs_executed/test_many_kills.py

takes some ten minutes for each database. JOBS and KILLS in the environment ask for less.
"""

import contextlib
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import sqlalchemy as sa

from database import migrating
from tests import factories, servers
from tests.jobs_executed.conftest import Jobs, boxes, start_process
from tests.patience import tries
from tests.raw import Raw
from tests.web_server import Server

MANY = int(os.environ.get("TEST_JOBS", "200"))
KILLS = int(os.environ.get("TEST_KILLS", "50"))
PROJECT = {
    "test_it.py": "import time\n\ndef test_it():\n    print('tested')\n    time.sleep(0.3)\n"
}


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that the test may kill."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'jobs.sqlite'}"
        return
    folder = tmp_path / "own"
    folder.mkdir()
    with servers.own_mariadb(folder) as mariadb:
        mariadb.fresh("site")
        yield mariadb.url("site")
        for process in listening(mariadb.port):
            process.kill()


def listening(port: int) -> list[psutil.Process]:
    return [
        psutil.Process(one.pid)
        for one in psutil.net_connections("tcp")
        if one.pid and one.status == psutil.CONN_LISTEN and one.laddr.port == port
    ]


def kill_database(url: str) -> None:
    port = sa.make_url(url).port
    if port is None:
        return
    for process in listening(port):
        command = [word for word in process.cmdline() if not word.startswith("--init-file")]
        process.kill()
        process.wait()
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_each_job_ends_once_whatever_is_killed(
    url: str, tmp_path: Path, make_app: Callable[..., Any]
) -> None:
    chance = random.Random(20)  # noqa: S311  nothing secret
    app = make_app(database_url=url, sample_repository=tmp_path / "repository")
    with app.app_context():
        migrating.upgrade()
    factories.bind(sa.create_engine(url))
    token = factories.signed_in("admin", "runs:execute")["Authorization"].split()[1]
    headers = factories.signed_in("contributor", "jobs:read", "jobs:write")
    server = Server(
        tmp_path / "server.log", database_url=url, sample_repository=tmp_path / "repository",
        lease_seconds=3, max_queued_jobs=1000, max_running_jobs=10,
    ).start()  # fmt: skip
    jobs = Jobs(server, headers)
    runners = [start_process(server, token, tmp_path, number) for number in range(2)]
    waiting = [jobs.submit(PROJECT) for _ in range(MANY)]
    kills = 0
    try:
        while waiting:
            before = len(waiting)
            for _ in tries(0.2):  # patience begins anew with each job that has ended
                with contextlib.suppress(requests.RequestException, AssertionError):
                    waiting = [one for one in waiting if jobs.get(one)["state"] != "ended"]
                for number, runner in enumerate(runners):
                    if runner.poll() is not None:
                        runners[number] = start_process(server, token, tmp_path, number)
                if kills < KILLS and chance.random() < 0.3:
                    kills += 1
                    kill_one(chance, runners, server, url)
                if len(waiting) < before:
                    break
    finally:
        for runner in runners:
            runner.terminate()
        for runner in runners:
            runner.wait(120)
        server.kill()
    check(url, tmp_path)


def kill_one(
    chance: random.Random, runners: list["subprocess.Popen[bytes]"], server: Server, url: str
) -> None:
    match chance.choice(["runner", "box", "web", "database"]):
        case "runner":
            chance.choice(runners).kill()
        case "box":
            for box in boxes()[:1]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    box.kill()
        case "web":
            server.kill()
            server.start()
        case _:
            kill_database(url)


def check(url: str, folder: Path) -> None:
    """Every job has ended once, its log is whole, and nothing is left of its boxes."""
    with contextlib.closing(Raw(url)) as raw:
        jobs = raw.execute("SELECT id, uuid, state, conclusion, attempts FROM job")
        ends = dict(
            raw.execute(
                "SELECT job_id, count(*) FROM job_event WHERE kind = 'ended' GROUP BY job_id"
            )
        )
        assert raw.execute("SELECT sum(queued), sum(running) FROM job_share") == [(0, 0)]
        assert raw.execute("SELECT count(*) FROM job_attempt WHERE ended_at IS NULL") == [(0,)]
    assert len(jobs) == MANY
    for job_id, uuid, state, conclusion, attempts in jobs:
        assert (state, ends[job_id]) == ("ended", 1)
        assert conclusion == "success" or (conclusion == "error" and attempts >= 3)
        if conclusion == "success":
            lines = (folder / "repository" / "JobLogs" / f"{uuid}.txt").read_text().splitlines()
            said = [line.partition(" | ")[2] for line in lines]
            assert said.count("Unpacking the project") >= 1
            assert said[-1] == "Ended: exit code 0"
    assert boxes() == []
    for number in range(2):
        for place in ("runs", "boxes"):
            left = folder / f"work-{number}" / place
            assert not left.exists() or list(left.iterdir()) == []
