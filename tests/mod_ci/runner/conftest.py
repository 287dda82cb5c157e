"""What the runner's tests stand on: a stand-in server, an extractor, a runner's options."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mod_ci.runner.cache import taken
from mod_ci.runner.limits import MIB, Limits
from mod_ci.runner.loop import serve
from mod_ci.runner.options import Options
from mod_ci.runner.shutdown import Shutdown
from tests.mod_ci.runner.standin import TOKEN, StandIn, listening, write_program

ROOT = Path(__file__).resolve().parents[3]

# Does what its command says, with the command line habits of an extractor.
EXTRACTOR = """#!/bin/sh
while [ $# -gt 1 ]; do
    case "$1" in
        -o) out="$2"; shift ;;
        -c) code="$2"; shift ;;
        -stdout) out=/dev/stdout ;;
    esac
    shift
done
input="$1"
eval "${code:-:}"
"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server that listens."""
    with listening() as standin:
        standin.samples[1] = b"media\n"
        yield standin


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The runner's token."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def extractor(tmp_path: Path) -> Path:
    """A program that executes what its `-c` argument says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return write_program(folder / "extractor", EXTRACTOR)


@pytest.fixture
def options(
    server: StandIn, token_file: Path, extractor: Path, tmp_path: Path
) -> Iterator[Callable[..., Options]]:
    """Makes the options of a runner that exits when nothing is queued."""
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(taken(tmp_path / "work"))

        def make(**more: object) -> Options:
            values = {
                "server": server.url,
                "token_file": token_file,
                "name": "runner-1",
                "platform": "linux",
                "work": work,
                "limits": Limits(
                    time_s=20, memory_bytes=512 * MIB, output_bytes=4 * MIB, processes=40
                ),
                "extractor": extractor,
                "jobs": 2,
                "drain": True,
            }
            return Options(**(values | more))

        yield make


@pytest.fixture
def serve_all(options: Callable[..., Options]) -> Callable[..., None]:
    """Runs a runner in this process until nothing is queued."""

    def run(**more: object) -> None:
        serve(options(**more), Shutdown())

    return run


@pytest.fixture
def runner(
    server: StandIn, token_file: Path, extractor: Path, tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts runners as processes, by their command line."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, name: str = "runner-1") -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "mod_ci.runner", "--server", server.url]
        argv += ["--token-file", str(token_file), "--extractor", str(extractor), "--name", name]
        argv += ["--work-dir", str(tmp_path / name), "--jobs", "2", *arguments]
        env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
