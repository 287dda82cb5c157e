"""A run, from its claim to its end."""

import hashlib
import re
from collections.abc import Callable

from tests.mod_ci.runner.standin import StandIn, offer, regression

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error|critical) "
    r"(worker|build|test_runner)( #\d+)? \| .*"
)


def test_a_run_reports_its_outputs_its_log_and_its_stages(
    server: StandIn, serve_all: Callable[..., None]
) -> None:
    tests = [
        regression(1, '-c \'echo hello; cat "$input" > "$out"\'', expected=b"media\n"),
        regression(2, "-c 'echo careful >&2; echo new > \"$out\"; exit 3'", expected=b"old\n"),
        regression(3, "-c 'true'"),
    ]
    server.queue.append(offer(tests, {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert held.finishes == [{"reason": "completed"}]
    first, second, third = (held.results[number] for number in (1, 2, 3))
    assert (first["outcome"], first["exit_code"], first["signal"]) == ("exited", 0, None)
    assert first["outputs"] == [{"output_id": 10, "sha256": hashlib.sha256(b"media\n").hexdigest()}]
    assert second["exit_code"] == 3
    assert second["tail"] == "careful"
    assert third["outputs"] == []
    # Only the output that differs is uploaded.
    assert held.files == {(2, 20): b"new\n"}
    assert all(LINE.fullmatch(line) for line in held.lines)
    assert any(line.endswith("info test_runner #1 | hello") for line in held.lines)
    assert any(line.endswith("warning test_runner #2 | careful") for line in held.lines)
    stages = [beat["stage"] for beat in held.beats if "stage" in beat]
    assert list(dict.fromkeys(stages)) == ["test", "finish"]
