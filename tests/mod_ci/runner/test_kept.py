"""What a run leaves beside its results: the binary, a core dump, and all that its tests printed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mod_ci.runner.kept import CUT, Kept
from mod_ci.runner.limits import MIB, Limits
from tests.mod_ci.runner.standin import StandIn, offer, regression

Serve = Callable[..., None]
CRASH = "-c 'echo before; echo dump > core; kill -SEGV $$'"


def test_standard_output_and_standard_error_are_kept_apart_and_together(
    server: StandIn, serve_all: Serve
) -> None:
    code = "-c 'echo one; echo two >&2; echo three'"
    server.queue.append(offer([regression(1, code)], {1: b"media\n"}))

    serve_all()

    result = server.only().results[1]
    assert (result["stdout_tail"], result["stderr_tail"]) == ("one\nthree", "two")
    assert sorted(result["tail"].splitlines()) == ["one", "three", "two"]


def test_the_binary_and_all_that_tests_printed_are_sent_before_the_end(
    server: StandIn, serve_all: Serve, extractor: Path
) -> None:
    tests = [regression(1, "-c 'echo one; echo two >&2'"), regression(2, "-c 'printf three'")]
    server.queue.append(offer(tests, {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert held.artifacts["binary"] == extractor.read_bytes()
    assert "coredump" not in held.artifacts
    printed = held.artifacts["combined_stdout"].decode()
    for test in tests:
        assert f"=== regression test {test['regression_id']}: {test['command']}\n" in printed
    assert "one\n" in printed
    assert "two\n" in printed
    assert "three\n" in printed
    assert held.finishes == [{"reason": "completed"}]


def test_credentials_are_not_in_what_is_kept(server: StandIn, serve_all: Serve) -> None:
    token = "spci_" + "a" * 43
    code = f"-c 'echo {token}; echo https://me:secret@example.org/'"
    server.queue.append(offer([regression(1, code)], {1: b"media\n"}))

    serve_all()

    printed = server.only().artifacts["combined_stdout"].split(b"\n", 1)[1]
    assert b"spci_" not in printed
    assert b"secret" not in printed


def test_the_first_core_dump_is_kept_and_the_crash_is_told_by_its_signal(
    server: StandIn, serve_all: Serve
) -> None:
    server.queue.append(offer([regression(1, CRASH)], {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert held.artifacts["coredump"] == b"dump\n"
    assert (held.results[1]["outcome"], held.results[1]["signal"]) == ("signal", "SIGSEGV")


def test_a_core_dump_does_not_count_as_output(
    server: StandIn, serve_all: Serve, options: Callable[..., object]
) -> None:
    limits = Limits(20.0, memory_bytes=512 * MIB, output_bytes=MIB, core_bytes=8 * MIB)
    code = "-c 'head -c 4000000 /dev/zero > core; kill -SEGV $$'"
    big = "-c 'head -c 1000000 /dev/zero > x; head -c 1000000 /dev/zero > y'"
    server.queue.append(offer([regression(1, code), regression(2, big)], {1: b"media\n"}))

    serve_all(limits=limits)

    outcomes = {test: result["outcome"] for test, result in server.only().results.items()}
    assert outcomes == {1: "signal", 2: "output_limit"}


def test_a_file_that_the_server_does_not_take_is_noted_and_the_run_goes_on(
    server: StandIn, serve_all: Serve
) -> None:
    limits = {"test_time_ms": 20_000, "test_memory_bytes": 512 * MIB, "max_upload_bytes": 10}
    tests = [regression(1, CRASH)]
    server.queue.append(offer(tests, {1: b"media\n"}, limits=limits))

    serve_all()

    held = server.only()
    assert set(held.artifacts) == {"coredump"}
    noted = [line for line in held.lines if "is not kept" in line]
    assert len(noted) == 2
    assert held.finishes == [{"reason": "completed"}]


@pytest.mark.parametrize("status", [401, 404, 413, 500, 503])
def test_a_server_that_refuses_every_file_ends_no_run(
    server: StandIn, serve_all: Serve, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("mod_ci.runner.stages.PAUSES_S", (0.01,))
    server.fail("PUT .*/artifacts/.*", 10, status)
    server.queue.append(offer([regression(1, "-c 'echo one'")], {1: b"media\n"}))

    serve_all()

    assert server.only().artifacts == {}
    assert server.only().finishes == [{"reason": "completed"}]


def test_the_lower_of_two_limits_holds(server: StandIn, serve_all: Serve) -> None:
    limits = {"test_time_ms": 300, "test_memory_bytes": 512 * MIB, "max_upload_bytes": MIB}
    server.queue.append(offer([regression(1, "-c 'sleep 60'")], {1: b"media\n"}, limits=limits))

    serve_all()

    assert server.only().results[1]["outcome"] == "time_limit"
    own = Limits(300.0, memory_bytes=100)
    assert own.narrowed(600.0, 50) == replace(own, memory_bytes=50)
    assert own.narrowed(None, None) == own


def test_what_is_printed_is_kept_within_bounds(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", most_printed=100)
    printed = tmp_path / "printed"
    printed.write_bytes(b"0123456789\n" * 20)

    for test in (1, 2):
        kept.add_output(test, "-out=srt", printed)

    data = kept.combined.read_bytes()
    assert data.endswith(CUT)
    assert data.count(CUT) == 1
    assert len(data) <= 100 + len(CUT)
