"""The runner's own command line."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mod_ci.runner.conftest import ROOT
from tests.mod_ci.runner.standin import StandIn, offer, regression
from tests.patience import PATIENCE_SECONDS, until

Start = Callable[..., subprocess.Popen[str]]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The runner with these arguments, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mod_ci.runner", *arguments],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | env,
        capture_output=True, text=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip


def test_help_names_every_option() -> None:
    done = run("--help")

    assert done.returncode == 0
    for option in ("--server", "--token-file", "--build", "--extractor", "--jobs", "--work-dir"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "--server"),
        (["--server", "ftp://x"], "--server"),
        (["--server", "http://x"], "--token-file"),
        (["--server", "http://x", "--token-file", "t"], "--build and --extractor"),
        (["--server", "http://x", "--token-file", "t", "--extractor", "/nowhere"], "--extractor"),
        (["--server", "http://x", "--token-file", "t", "--build", "x", "--name", "a b"], "--name"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], named: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert named in done.stderr.splitlines()[-1]


def test_the_environment_gives_what_the_command_line_does_not(
    server: StandIn, token_file: Path, extractor: Path, tmp_path: Path
) -> None:
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    done = run(
        "--name",
        "from-the-command-line",
        RUNNER_SERVER=server.url,
        RUNNER_TOKEN_FILE=str(token_file),
        RUNNER_EXTRACTOR=str(extractor),
        RUNNER_NAME="from-the-environment",
        RUNNER_WORK_DIR=str(tmp_path / "w"),
        RUNNER_DRAIN="1",
    )

    assert done.returncode == 0
    assert server.only().finishes == [{"reason": "completed"}]
    assert "from-the-command-line" in done.stderr


def test_two_runners_do_not_share_a_work_folder(server: StandIn, runner: Start) -> None:
    first = runner()
    until(lambda: len(server.headers) > 0)

    second = runner("--drain")
    _, stderr = second.communicate(timeout=PATIENCE_SECONDS)

    assert first.poll() is None
    assert second.returncode == 1
    assert "another runner works in" in stderr


def test_a_runner_that_the_server_does_not_want_ends_and_says_so(
    server: StandIn, runner: Start
) -> None:
    server.fail("POST", 1, 403)

    _, stderr = (process := runner()).communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1
    assert "403" in stderr


def test_a_token_that_others_can_read_is_warned_of(
    server: StandIn, runner: Start, token_file: Path
) -> None:
    token_file.chmod(0o644)

    _, stderr = runner("--drain").communicate(timeout=PATIENCE_SECONDS)

    assert "can be read by others" in stderr
    assert "spci_" not in stderr


def test_a_token_that_only_the_runners_group_can_read_is_as_documented(
    server: StandIn, runner: Start, token_file: Path
) -> None:
    token_file.chmod(0o640)

    _, stderr = runner("--drain").communicate(timeout=PATIENCE_SECONDS)

    assert "can be read by others" not in stderr


def test_a_missing_token_is_named(runner: Start, token_file: Path) -> None:
    token_file.unlink()

    _, stderr = (process := runner()).communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 1
    assert "token" in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_what_a_killed_runner_left_is_removed(
    server: StandIn, runner: Start, tmp_path: Path
) -> None:
    server.queue.append(offer([regression(1, "-c 'echo begun; sleep 60'")], {1: b"media\n"}))
    first = runner()
    until(lambda: bool(server.attempts) and b"begun" in server.only().log)
    first.kill()
    first.wait()
    assert list((tmp_path / "runner-1" / "runs").iterdir())

    assert runner("--drain").wait(PATIENCE_SECONDS) == 0

    assert list((tmp_path / "runner-1" / "runs").iterdir()) == []
