"""Logs and runs are followed to their end, whatever happens to the server meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from config import ROOT
from tests import factories
from tests.patience import PATIENCE_SECONDS, tries
from tests.runners import Held, accepted
from tests.web_server import Server

ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "clients" / "python")}


def append(held: Held, offset: int, *numbers: int) -> int:
    """Write lines to the log of a run; where the next ones begin."""
    text = "".join(f"2026-01-01T00:00:00.000Z info worker | line {number}\n" for number in numbers)
    headers = {
        **held.headers,
        "Upload-Offset": str(offset),
        "Content-Type": "application/octet-stream",
    }
    answer = accepted(held.client.patch(f"{held.url}/log", data=text, headers=headers))
    written: int = answer.get_json()["offset"]
    return written


def started(
    server: Server, token: str, output: Path, *arguments: object
) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    environ = {
        **ENVIRON,
        "CI_PLATFORM_URL": f"http://127.0.0.1:{server.port}",
        "CI_PLATFORM_TOKEN": token,
    }
    with output.open("wb") as file:
        # Ctrl-C is heeded also where the tests run in the background, which ignores it.
        program = ["env", "--default-signal=INT", sys.executable, "-m", "ccextractor_ci"]
        command = [*program, *map(str, arguments)]
        return subprocess.Popen(command, env=environ, stdout=file, stderr=subprocess.PIPE)


def wait_for(output: Path, text: str) -> None:
    for _ in tries(0.05):
        if text in output.read_text():
            return


def test_a_log_is_followed_over_two_restarts(
    serve: Callable[..., Server], held: Held, token: str, tmp_path: Path
) -> None:
    server = serve()
    output = tmp_path / "output"
    offset = append(held, 0, *range(100))
    process = started(server, token, output, "log", held.run_id, "-f")
    wait_for(output, "line 99\n")
    server.kill()
    offset = append(held, offset, *range(100, 200))
    server.start()
    wait_for(output, "line 199\n")
    server.restart()
    offset = append(held, offset, *range(200, 300))
    accepted(held.finish())

    _, errors = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0, errors
    assert output.read_text().splitlines() == [f"line {number}" for number in range(300)]


def test_failures_are_told_as_they_come(
    serve: Callable[..., Server], held: Held, token: str, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    process = started(serve(), token, output, "watch", held.run_id)
    assert process.stderr is not None
    assert b"running" in process.stderr.readline()
    accepted(held.report(held.tests[0], exit_code=3))

    failure = process.stderr.readline()
    accepted(held.finish())
    process.communicate(timeout=PATIENCE_SECONDS)

    assert f"test {held.tests[0]}," in failure.decode()
    assert process.returncode == 1
    assert "tests fail" in output.read_text().splitlines()[0]


def test_stopping_with_ctrl_c_is_130(
    serve: Callable[..., Server], token: str, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    process = started(serve(), token, output, "watch", factories.run().id)
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(2)

    process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 130
