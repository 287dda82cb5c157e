"""Boxes of every engine that this machine can start."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mod_ci.runner.engines import NAMES, make
from mod_ci.runner.engines.model import ATTEMPT, NAMESPACE, RUNNER, Bounds, Box, End, Engine, Mount
from mod_ci.runner.limits import MIB
from tests.conftest import COUNTED

BOUNDS = Bounds(
    time_s=60,
    memory_bytes=256 * MIB,
    cpus=1,
    processes=30,
    output_bytes=4 * MIB,
    disk_bytes=16 * MIB,
)
LABELS = {NAMESPACE: "tests", RUNNER: "runner-1", ATTEMPT: "1"}
# One proof per engine and process: it is what decides on skipping.
PROBLEMS: dict[str, str | None] = {}


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """Every engine, skipped with the probe's reason where it is not fit."""
    name = request.param
    found = make(name, tmp_path / "engine")
    if name not in PROBLEMS:
        PROBLEMS[name] = found.probe()
    problem = PROBLEMS[name]
    if problem is not None:
        pytest.skip(problem if name == "bwrap" else COUNTED + problem)
    return found


@dataclass
class Seen:
    """How a box ended, and the lines that it printed."""

    end: End
    lines: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that it printed."""
        return b"\n".join(self.lines).decode("utf-8", "replace")


Play = Callable[..., Seen]


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The folder that a box may write to, as `/job`."""
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


@pytest.fixture
def play(engine: Engine, job: Path) -> Play:
    """Runs one shell command in a box, with other bounds or another box where said."""

    def run(
        code: str,
        *,
        argv: list[str] | None = None,
        stop: threading.Event | None = None,
        on_line: Callable[[bytes], None] = lambda _line: None,
        mounts: tuple[Mount, ...] = (),
        box: dict[str, object] | None = None,
        **bounds: object,
    ) -> Seen:
        lines: list[bytes] = []

        def line(data: bytes) -> None:
            lines.append(data)
            on_line(data)

        name = f"tests-{job.parent.name}"
        place = Box(
            name, LABELS, mounts=(Mount(job, "/job", writable=True), *mounts), folder="/job"
        )
        end = engine.run(
            replace(place, **(box or {})),
            argv or ["sh", "-c", code],
            replace(BOUNDS, **bounds),
            line=line,
            stop=stop or threading.Event(),
        )
        assert engine.leftovers("tests", "runner-1") == []
        return Seen(end, lines)

    return run


@pytest.fixture
def mark() -> str:
    """A number of seconds that only one test sleeps."""
    return f"8{time.monotonic_ns()}"


def marked(mark: str) -> list[int]:
    """The living processes with a mark in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if mark.encode() in line:
                found.append(int(folder.name))
    return found
