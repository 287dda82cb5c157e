"""Whoever dies while a box runs: no end is made up, and nothing of the box stays for good."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mod_ci.runner.engines import make
from mod_ci.runner.engines.model import Box, Engine, EngineFailure
from tests.mod_ci.runner.engines.conftest import BOUNDS, LABELS, Play, marked
from tests.patience import until

ROOT = Path(__file__).resolve().parents[4]
# A runner with one box, which sleeps for as long as its mark says.
RUNNER = """
import sys, threading
from pathlib import Path
from mod_ci.runner.engines import make
from mod_ci.runner.engines.model import Box
from tests.mod_ci.runner.engines.conftest import BOUNDS, LABELS
engine, work, name, mark = sys.argv[1:]
make(engine, Path(work)).run(
    Box(name, LABELS), ["sh", "-c", f"echo ready; setsid sleep {mark} & sleep {mark}"], BOUNDS,
    line=lambda line: print(line.decode(), flush=True), stop=threading.Event(),
)
"""


def parent_of(pid: int) -> int:
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ancestors(pid: int, last: int) -> list[int]:
    """The processes above one, up to but without another."""
    found = []
    while (pid := parent_of(pid)) not in (0, 1, last):
        found.append(pid)
    return found


def test_a_killed_runner_leaves_what_its_next_start_removes(
    engine: Engine, tmp_path: Path, mark: str
) -> None:
    name = f"tests-{tmp_path.name}"
    work = tmp_path / "work"
    argv = [sys.executable, "-c", RUNNER, engine.name, str(work), name, mark]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"ready\n"
        runner.kill()
    if engine.name != "docker":  # its containers are its daemon's
        until(lambda: marked(mark) == [])

    again = make(engine.name, work)

    assert again.leftovers("other", "runner-1") == []
    assert again.leftovers("tests", "runner-2") == []
    assert again.leftovers("tests", "") == []
    assert again.leftovers("tests", "runner-1") == [name]
    again.remove(name)
    until(lambda: marked(mark) == [])
    assert again.leftovers("tests", "runner-1") == []
    assert list((work / "boxes").iterdir()) == []


@pytest.mark.parametrize("depth", range(3))
def test_whatever_is_killed_above_a_box_is_no_verdict(play: Play, mark: str, depth: int) -> None:
    """Kill the keeper, then the engine's process or monitor, then process 1 of the box."""

    def kill(_line: bytes) -> None:
        with contextlib.suppress(OSError):
            program = min(pid for pid in marked(mark) if b"sleep" in command(pid)[:6])
            # Without the shell, which is the job's own program.
            above = ancestors(program, os.getpid())[:0:-1]
            os.kill(above[min(depth, len(above) - 1)], signal.SIGKILL)

    with pytest.raises(EngineFailure):
        play(f"sleep {mark} & sleep 0.2; echo ready; sleep {mark}", on_line=kill)

    until(lambda: marked(mark) == [])


def test_a_name_can_be_used_again(engine: Engine, tmp_path: Path) -> None:
    box = Box(f"tests-{tmp_path.name}", LABELS)
    ends = [
        engine.run(box, ["true"], BOUNDS, line=lambda _line: None, stop=threading.Event())
        for _ in range(3)
    ]

    assert [end.exit_code for end in ends] == [0, 0, 0]


def test_one_that_is_gone_is_removed_without_a_word(engine: Engine) -> None:
    engine.remove("tests-that-never-was")


def command(pid: int) -> bytes:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()
