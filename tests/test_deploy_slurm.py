"""The script that submits pilots: deploy/slurm/pilots.py, with Slurm's commands replaced."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from config import ROOT

SLURM = ROOT / "deploy" / "slurm"


class Cluster:
    """The script's surroundings: a server's metrics, `squeue` and `sbatch`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.states = folder / "states"
        self.states.touch()
        self.submitted = folder / "submitted"
        self.submitted.touch()
        self.program("squeue", f'cat "{self.states}"')
        self.program("sbatch", f'echo "$*" >>"{self.submitted}"; echo PENDING >>"{self.states}"')

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, *options: str) -> int:
        """Start the script; returns its status."""
        return subprocess.run(
            [sys.executable, "-I", SLURM / "pilots.py",
             "--metrics", f"http://127.0.0.1:{self.port}/metrics",
             "--lock", self.folder / "lock", *options, "pilot.sh"],
            env={"PATH": f"{self.folder}:{os.environ['PATH']}"},
            check=False,
            timeout=60,
        ).returncode  # fmt: skip

    @property
    def pilots(self) -> int:
        return len(self.submitted.read_text().splitlines())


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three jobs and two runs wait."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'ci_queue_depth{kind="run"} 2.0\nci_queue_depth{kind="job"} 3.0\n')

    server = ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Cluster(tmp_path, server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pilot_is_submitted_for_each_job_that_waits_and_not_twice(cluster: Cluster) -> None:
    assert cluster.run() == 0
    assert cluster.run() == 0

    assert cluster.pilots == 3


def test_both_kinds_are_counted_up_to_the_bound(cluster: Cluster) -> None:
    cluster.states.write_text("RUNNING\n")

    assert cluster.run("--kinds", "run,job", "--most", "5") == 0

    assert cluster.pilots == 4


def test_a_second_script_at_once_submits_nothing(cluster: Cluster) -> None:
    with (cluster.folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert cluster.run() == 0

    assert cluster.pilots == 0


def test_without_controller_or_metrics_nothing_is_submitted(cluster: Cluster) -> None:
    cluster.program("squeue", "exit 1")
    assert cluster.run() == 1

    cluster.program("squeue", "true")
    cluster.port = 1
    assert cluster.run() == 1

    assert cluster.pilots == 0
