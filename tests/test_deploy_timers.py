"""The timers of the compose file: deploy/timers.sh, with what it runs replaced."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import ROOT
from tests.patience import tries

DAY_S = 24 * 3600
ALWAYS = {"queue expire", "outbox deliver"}
ALL = {*ALWAYS, "jobs expire", "logs keep", "repository sweep", "rollup verify"}
PROGRAMS = {
    "flask": 'echo "$3 $4" >>"$RAN"; [ "$4" != "$ENDLESS" ] || exec /bin/sleep 60',
    "sleep": "exec /bin/sleep 0.02",
}


class Timers:
    """The script in a folder of its own, where minutes are short and `flask` only says so."""

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "kept"
        self.kept.mkdir()
        self.ran = folder / "ran"
        for name, text in PROGRAMS.items():
            program = folder / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        self.environ = {"PATH": f"{folder}:{os.environ['PATH']}", "RAN": str(self.ran)}

    def run(self, until: Callable[[list[str]], bool], **environ: str) -> list[str]:
        """What it runs from a start until enough has been run."""
        self.ran.write_text("")
        started = subprocess.Popen(
            ["sh", ROOT / "deploy" / "timers.sh", self.kept],
            env=self.environ | environ,
            start_new_session=True,
        )
        try:
            for _ in tries():
                if until(ran := self.ran.read_text().splitlines()):
                    break
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        return ran

    def age(self, command: str, seconds: int) -> None:
        """Let a command have ended so long ago."""
        (file,) = self.kept.glob(f"*{command}")
        then = time.time() - seconds
        os.utime(file, (then, then))


@pytest.fixture
def timers(tmp_path: Path) -> Timers:
    return Timers(tmp_path)


def all_kept(timers: Timers, count: int) -> Callable[[list[str]], bool]:
    return lambda ran: len(list(timers.kept.iterdir())) == count and set(ran) >= ALWAYS


def minutes(count: int) -> Callable[[list[str]], bool]:
    return lambda ran: all(ran.count(command) >= count for command in ALWAYS)


def test_leases_are_looked_after_while_something_takes_long(timers: Timers) -> None:
    ran = timers.run(
        lambda ran: "logs keep" in ran and minutes(5)(ran[ran.index("logs keep") :]),
        ENDLESS="keep",
    )

    assert set(ran) == {*ALWAYS, "logs keep"}


def test_a_restart_runs_nothing_that_is_not_due(timers: Timers) -> None:
    assert set(timers.run(all_kept(timers, 4))) == ALL

    assert set(timers.run(minutes(20))) == ALWAYS


def test_what_is_due_is_run_however_often_it_was_restarted(timers: Timers) -> None:
    timers.run(all_kept(timers, 4))
    timers.age("rollup verify", 8 * DAY_S)
    timers.age("repository sweep", DAY_S - 600)

    ran = timers.run(lambda ran: "rollup verify" in ran and minutes(20)(ran))

    assert set(ran) == {*ALWAYS, "rollup verify"}


def test_what_was_broken_off_is_run_again(timers: Timers) -> None:
    timers.run(lambda ran: "rollup verify" in ran, ENDLESS="verify")

    assert "rollup verify" in timers.run(all_kept(timers, 4))


def test_folder_and_bucket_are_compared_where_there_is_a_bucket(timers: Timers) -> None:
    assert "repository sync" in timers.run(all_kept(timers, 5), GCS_BUCKET="samples-of-ci")


def test_leases_are_looked_after_while_a_receiver_is_slow(timers: Timers) -> None:
    ran = timers.run(lambda ran: ran.count("queue expire") >= 5, ENDLESS="deliver")

    assert ran.count("outbox deliver") <= 1
