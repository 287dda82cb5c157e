"""A server and a runner that executes jobs, as processes of their own."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from config import ROOT
from mod_ci.runner import engines
from tests import factories
from tests.conftest import Site
from tests.jobs import zipped
from tests.patience import tries
from tests.web_server import Server


@functools.cache
def why_not(engine: str) -> str | None:
    """Why an engine is not fit here; None when it is."""
    with tempfile.TemporaryDirectory() as work:
        return engines.make(engine, Path(work)).probe()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and (problem := why_not("bwrap")):
            item.add_marker(pytest.mark.skip(reason=problem))


@dataclass(frozen=True)
class Jobs:
    """The API as a submitter uses it."""

    server: Server
    headers: dict[str, str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def submit(self, files: Mapping[str, str | bytes] | bytes, **job: Any) -> str:

        archive = files if isinstance(files, bytes) else zipped(files)
        parts: dict[str, Any] = {"file": ("project.zip", archive)}
        if job:
            parts["job"] = (None, json.dumps(job), "application/json")
        answer = requests.post(
            f"{self.address}/api/v1/jobs", files=parts, headers=self.headers, timeout=60
        )
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id

    def get(self, job_id: str, part: str = "", **query: Any) -> Any:
        url = f"{self.address}/api/v1/jobs/{job_id}{part}"
        answer = requests.get(url, params=query, headers=self.headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, job_id: str, action: str) -> Any:
        url = f"{self.address}/api/v1/jobs/{job_id}/{action}"
        return requests.post(url, json={}, headers=self.headers, timeout=60).json()

    def ended(self, job_id: str) -> Any:
        """The job, once it has ended."""
        for _ in tries(0.05):
            job = self.get(job_id, wait=5)
            if job["state"] == "ended":
                return job
        raise AssertionError("unreachable")

    def run(self, files: Mapping[str, str | bytes], **job: Any) -> Any:
        return self.ended(self.submit(files, **job))

    def log(self, job_id: str) -> list[str]:
        return [line["message"] for line in self.get(job_id, "/logs", limit=100)["data"]]

    def until(self, job_id: str, said: str) -> None:
        """Wait until the job's log has a line."""
        for _ in tries(0.05):
            if said in self.log(job_id):
                return


def boxes() -> list[psutil.Process]:
    """The processes of bubblewrap on this machine."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if words[0].endswith("/bwrap"):
            found.append(process)
    return found


def start_process(
    server: Server, token: str, folder: Path, number: int, *options: str, engine: str = "bwrap"
) -> subprocess.Popen[bytes]:
    """Start a runner of jobs; whoever starts one again by its number starts it in its folder."""
    token_file = folder / "token"
    token_file.write_text(token)
    token_file.chmod(0o600)
    argv = [
        sys.executable, "-m", "mod_ci.runner", "--kinds", "job", "--engine", engine,
        "--server", f"http://127.0.0.1:{server.port}", "--token-file", str(token_file),
        "--name", f"runner-{number}", "--work-dir", str(folder / f"work-{number}"), *options,
    ]  # fmt: skip
    with (folder / f"runner-{number}.log").open("ab") as log:
        return subprocess.Popen(
            argv, cwd=ROOT, env={**os.environ}, stdout=log, stderr=log, start_new_session=True
        )


@pytest.fixture
def jobs(server: Server, site: Site) -> Jobs:
    """A contributor's."""
    return Jobs(server, factories.signed_in("contributor", "jobs:read", "jobs:write"))


@pytest.fixture
def start_runner(server: Server, site: Site, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """`start_runner(*options)`: a runner of jobs; each is killed with the test."""
    token = factories.signed_in("admin", "runs:execute")["Authorization"].split()[1]
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str, engine: str = "bwrap") -> subprocess.Popen[bytes]:
        number = len(started)
        started.append(start_process(server, token, tmp_path, number, *options, engine=engine))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        log = (tmp_path / f"runner-{started.index(process)}.log").read_text()
        sys.stderr.write(log[-4000:])
