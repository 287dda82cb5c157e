"""A run, from its claim to its end."""

import hashlib
import re
from collections.abc import Callable

from tests.mod_ci.runner.standin import StandIn, offer, regression

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning|error|critical) "
    r"(worker|build|test_runner)( #\d+)? \| .*"
)

Serve = Callable[..., None]


def test_a_run_reports_its_outputs_its_log_and_its_stages(
    server: StandIn, serve_all: Serve
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


def test_a_baseline_that_the_server_has_lost_is_uploaded_when_asked_for(
    server: StandIn, serve_all: Serve
) -> None:
    server.lost_baselines = {10}
    tests = [regression(1, "-c 'printf same > \"$out\"'", expected=b"same")]
    server.queue.append(offer(tests, {1: b"media\n"}))

    serve_all()

    assert server.only().files == {(1, 10): b"same"}
    assert server.only().finishes == [{"reason": "completed"}]


def test_runs_are_carried_out_one_after_the_other_until_none_is_queued(
    server: StandIn, serve_all: Serve
) -> None:
    for _ in range(3):
        server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    assert [held.finishes for held in server.attempts.values()] == [[{"reason": "completed"}]] * 3


def test_once_is_one_run(server: StandIn, serve_all: Serve) -> None:
    for _ in range(2):
        server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all(once=True)

    assert len(server.attempts) == 1
    assert len(server.queue) == 1


def test_a_run_without_tests_is_completed(server: StandIn, serve_all: Serve) -> None:
    server.queue.append(offer([], {}))

    serve_all()

    assert server.only().finishes == [{"reason": "completed"}]


def test_a_second_attempt_appends_to_the_log_of_the_first(
    server: StandIn, serve_all: Serve
) -> None:
    earlier = b"2026-01-01T00:00:00.000Z info worker | Earlier\n"
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}, earlier_log=earlier))

    serve_all()

    assert bytes(server.only().log).startswith(earlier)
    assert len(server.only().lines) > 2


def test_a_deadline_that_passes_ends_the_run_with_that_reason(
    server: StandIn, serve_all: Serve
) -> None:
    tests = [regression(1, "-c 'sleep 60'"), regression(2, "-c true", sample_id=1)]
    server.queue.append(offer(tests, {1: b"media\n"}, deadline_s=server.lease_s))

    serve_all(jobs=1)

    (finish,) = server.only().finishes
    assert (finish["reason"], finish["type"]) == ("deadline_exceeded", "worker")
    assert server.only().results == {}


def test_a_claim_that_is_not_understood_is_not_carried_out_and_not_the_end(
    server: StandIn, serve_all: Serve
) -> None:
    def nonsense(handler) -> bool:
        handler.answer(201, {"attempt_id": 7})
        return True

    server.trouble("POST /api/v1/attempts$", 1, nonsense)
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    assert server.only().finishes == [{"reason": "completed"}]


def test_a_refused_result_ends_the_run_as_a_defect(server: StandIn, serve_all: Serve) -> None:
    server.fail("PUT .*/results/1$", 1, 400)
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    (finish,) = server.only().finishes
    assert (finish["reason"], finish["type"]) == ("internal_error", "worker")
    assert "400" in finish["message"]
