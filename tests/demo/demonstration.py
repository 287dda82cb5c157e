"""Starting the demonstration in a folder of its own, as `scripts/serve` does."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from config import ROOT
from tests.patience import tries
from tests.servers import free_port

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "instance", ".*cache", "__pycache__", "tests")
READY = "Ctrl-C stops everything"


def copy_of_the_checkout(folder: Path) -> Path:
    """The project without what an installation adds to it."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return folder


@dataclass
class Demonstration:
    """A start of the demonstration, and what it has printed."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text("utf-8")

    @property
    def token(self) -> str:
        return self.said.split("TOKEN=")[1].split()[0]

    def wait_until_said(self, text: str) -> None:
        for _ in tries(0.1):
            if text in self.said:
                return
            assert self.process.poll() is None, self.said

    def family(self) -> list[psutil.Process]:
        """The process and all that it has started."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def child(self, word: str) -> psutil.Process:
        """The child with this word in its command."""
        return next(found for found in self.family()[1:] if word in " ".join(found.cmdline()))

    def get(self, path: str, **query: object) -> dict[str, Any]:
        answer = requests.get(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            params={name: str(value) for name, value in query.items()},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextlib.contextmanager
def started(
    folder: Path, port: int | None = None, *, terminal: int | None = None, **variables: str
) -> Iterator[Demonstration]:
    """A start in `folder`; whatever is left of it at the end is killed."""
    port = port or free_port()
    output = folder / f"said-{time.monotonic_ns()}"
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(port), **variables,
    }  # fmt: skip
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=terminal if terminal is not None else stream,
            stderr=stream,
        )
    made = Demonstration(process, folder, port, output)
    family: list[psutil.Process] = []
    try:
        yield made
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = made.family()
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
