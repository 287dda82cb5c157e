"""A server that is away, slow, restarted or of another opinion; a runner that is stopped."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mod_ci.runner.lease import Lease
from mod_ci.runner.log_sender import LogSender
from mod_ci.runner.loop import serve
from mod_ci.runner.options import Options
from mod_ci.runner.shutdown import Shutdown
from tests.mod_ci.runner.standin import Handler, StandIn, offer, regression
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.slow

Serve = Callable[..., None]
Start = Callable[..., subprocess.Popen[str]]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_result_survives_a_server_that_cannot_take_it_now(
    server: StandIn, serve_all: Serve, status: int
) -> None:
    server.fail("PUT .*/results/1$", 2, status, Retry_After="0")
    server.queue.append(offer([regression(1, "-c 'echo x > \"$out\"'")], {1: b"media\n"}))

    serve_all()

    assert server.only().files == {(1, 10): b"x\n"}
    assert server.only().finishes == [{"reason": "completed"}]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "pattern", ["PUT .*/results/1$", "POST .*/finish$", "PATCH .*/log$", "POST .*/heartbeat$"]
)
def test_a_connection_that_breaks_loses_and_doubles_nothing(
    server: StandIn, serve_all: Serve, pattern: str, *, after: bool
) -> None:
    server.drop(pattern, 2, after=after)
    server.queue.append(offer([regression(1, "-c 'echo once'")], {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert held.results[1]["exit_code"] == 0
    assert sum(line.endswith("| once") for line in held.lines) == 1
    assert held.ended


def test_a_server_that_restarts_in_the_middle_of_a_run_gets_every_result(
    server: StandIn, serve_all: Serve
) -> None:
    tests = [regression(number, f"-c 'sleep 0.2; echo {number}'") for number in range(1, 8)]
    server.queue.append(offer(tests, {1: b"media\n"}))

    def restart() -> None:
        for _ in range(2):
            results = len(server.only().results) if server.attempts else 0
            until(lambda least=results: server.attempts and len(server.only().results) > least)
            server.restart()

    restarting = threading.Thread(target=restart)
    restarting.start()
    serve_all(drain=False, once=True)
    restarting.join()

    held = server.only()
    assert sorted(held.results) == list(range(1, 8))
    assert held.finishes == [{"reason": "completed"}]
    for number in range(1, 8):
        assert sum(line.endswith(f"#{number} | {number}") for line in held.lines) == 1


@pytest.mark.parametrize("failing", [False, True], ids=["completed", "failed"])
def test_a_server_that_is_away_at_the_end_gets_the_whole_log_before_the_run_is_finished(
    server: StandIn, serve_all: Serve, monkeypatch: pytest.MonkeyPatch, *, failing: bool
) -> None:
    away, gave_up = threading.Event(), threading.Event()
    flush = LogSender.flush

    def noted(sender: LogSender, timeout_s: float) -> bool:
        is_sent = flush(sender, PATIENCE_SECONDS if gave_up.is_set() else min(timeout_s, 0.5))
        if not is_sent:
            gave_up.set()
        return is_sent

    monkeypatch.setattr(LogSender, "flush", noted)

    def leave(handler: Handler) -> bool:
        away.set()
        if failing:
            handler.answer(400, {})
        return failing

    def is_away(handler: Handler) -> bool:
        """Until a heartbeat comes after the log could not be sent, or the end is told."""
        what = handler.path.rsplit("/")[-1]
        if what == "finish" or (what == "heartbeat" and gave_up.is_set()):
            away.clear()
        if not away.is_set():
            return False
        handler.answer(503, {}, Retry_After="0")
        return True

    server.trouble("PUT .*/results/1$", 1, leave)
    server.trouble("PATCH|heartbeat|finish", 1000, is_away)
    server.queue.append(offer([regression(1, "-c 'echo printed'")], {1: b"media\n"}))

    serve_all()

    held = server.only()
    assert gave_up.is_set()
    assert [finish["reason"] for finish in held.finishes] == [
        "internal_error" if failing else "completed"
    ]
    assert any(line.endswith("| printed") for line in held.lines)
    assert held.lines[-1].endswith("400" if failing else "Handing in")


def test_retry_after_is_obeyed(
    server: StandIn, serve_all: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(Lease, "sleep", lambda _, seconds: pauses.append(seconds))
    server.fail("PUT .*/results/1$", 1, 503, Retry_After="70")
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    assert [pause for pause in pauses if 70 <= pause <= 71]
    assert server.only().results[1]["exit_code"] == 0


def test_a_canceled_run_stops_at_once_and_keeps_its_log(server: StandIn, serve_all: Serve) -> None:
    def cancel(_handler) -> bool:
        server.only().canceled = True
        return False

    tests = [regression(1, "-c 'echo begun; sleep 60'"), regression(2, "-c 'echo never'")]
    server.queue.append(offer(tests, {1: b"media\n"}))
    server.queue.append(offer([regression(3, "")], {1: b"media\n"}))
    server.trouble("PATCH /api/v1/attempts/1/log", 1, cancel)

    serve_all(jobs=1)

    first, second = server.attempts[1], server.attempts[2]
    assert (first.results, first.finishes) == ({}, [])
    assert any("canceled or has ended" in line for line in first.lines)
    assert b"never" not in first.log
    assert b"took longer" not in first.log  # it was killed, not waited for
    assert second.finishes == [{"reason": "completed"}]


@pytest.mark.parametrize("pattern", ["PUT .*/1/results/1$", "POST .*/1/heartbeat$"])
def test_after_a_lost_lease_nothing_more_is_reported(
    server: StandIn, serve_all: Serve, pattern: str
) -> None:
    def lose(_handler) -> bool:
        server.attempts[1].lost = True
        server.requests.clear()
        return False

    tests = [regression(1, "-c 'sleep 0.5'"), regression(2, "-c 'sleep 30'")]
    server.queue.append(offer(tests, {1: b"media\n"}))
    server.queue.append(offer([regression(3, "")], {1: b"media\n"}))
    server.trouble(pattern, 1, lose)

    serve_all()

    first = server.attempts[1]
    assert (first.results, first.finishes) == ({}, [])
    # The call that was told so, and at most one of each other thread that was under way.
    assert server.count("/attempts/1/(results|finish)") <= 1
    assert server.count("/attempts/1/") <= 4
    assert server.attempts[2].finishes == [{"reason": "completed"}]


def test_an_unknown_credential_is_a_lost_lease(server: StandIn, serve_all: Serve) -> None:
    def forget(_handler) -> bool:
        server.attempts[1].credential = "spca_another"
        return False

    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))
    server.trouble("PUT", 1, forget)

    serve_all()

    assert server.only().finishes == []


def test_the_lease_is_renewed_while_a_test_is_long(server: StandIn, serve_all: Serve) -> None:
    server.lease_s = 1.5
    server.log_interval_ms = 60_000
    server.queue.append(offer([regression(1, "-c 'sleep 3'")], {1: b"media\n"}))

    serve_all()

    beats = server.only().beats
    assert sum(beat["running"] == [1] for beat in beats) >= 3
    assert server.only().finishes == [{"reason": "completed"}]


def test_a_log_that_cannot_be_appended_does_not_stop_the_results(
    server: StandIn, serve_all: Serve
) -> None:
    server.fail("PATCH", 1000, 400)
    server.queue.append(offer([regression(1, "-c 'echo x'")], {1: b"media\n"}))

    serve_all()

    assert server.only().results[1]["exit_code"] == 0
    assert server.only().finishes == [{"reason": "completed"}]


def test_a_log_goes_on_at_the_offset_that_the_server_names(
    server: StandIn, serve_all: Serve
) -> None:
    def lose_the_end(_handler) -> bool:
        # A crash of the server took the last 20 bytes.
        del server.only().log[-20:]
        return False

    server.queue.append(
        offer(
            [regression(1, "-c 'for i in 1 2 3 4 5; do echo $i; sleep 0.2; done'")], {1: b"media\n"}
        )
    )
    server.trouble("PATCH", 1, lambda _: False)
    server.trouble("PATCH", 1, lose_the_end)

    serve_all()

    said = [line.split(" | ")[1] for line in server.only().lines]
    assert said == ["Running 1 regression tests", "1", "2", "3", "4", "5", "Handing in"]


def test_a_full_log_is_not_appended_to_any_more(server: StandIn, serve_all: Serve) -> None:
    server.log_limit = 1
    server.queue.append(
        offer(
            [regression(1, "-c 'for i in 1 2 3 4 5; do echo $i; sleep 0.2; done'")], {1: b"media\n"}
        )
    )

    serve_all()

    assert server.count("PATCH") == 2
    assert server.only().finishes == [{"reason": "completed"}]


def test_an_exchanged_token_is_read_anew(
    server: StandIn, serve_all: Serve, token_file: Path
) -> None:
    server.token = "spci_" + "n" * 43

    def exchange(_handler) -> bool:
        token_file.write_text(server.token)
        return False

    server.trouble("POST /api/v1/attempts$", 1, exchange)
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve_all()

    assert server.only().finishes == [{"reason": "completed"}]


def test_sigterm_ends_a_run_in_order(server: StandIn, runner: Start) -> None:
    tests = [regression(1, "-c 'echo begun; sleep 60'"), regression(2, "-c 'sleep 60'")]
    server.queue.append(offer(tests, {1: b"media\n"}))
    process = runner()
    until(lambda: bool(server.attempts) and b"begun" in server.only().log)

    process.terminate()

    assert process.wait(PATIENCE_SECONDS) == 0
    held = server.only()
    assert held.finishes == [{"reason": "runner_shutdown"}]
    assert held.results == {}
    assert any("shutting down" in line for line in held.lines)


def test_sigterm_while_waiting_for_work_is_the_end(server: StandIn, runner: Start) -> None:
    release = threading.Event()

    def wait(_handler) -> bool:
        release.wait(PATIENCE_SECONDS)
        return False

    server.trouble("POST /api/v1/attempts$", 100, wait)
    process = runner()
    until(lambda: len(server.headers) > 0)

    process.terminate()

    try:
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        release.set()


def test_a_second_signal_ends_at_once_and_leaves_nothing_running(
    server: StandIn, runner: Start
) -> None:
    mark = str(6_000_000_000 + time.monotonic_ns() % 1_000_000_000)
    server.queue.append(offer([regression(1, f"-c 'sleep {mark}'")], {1: b"media\n"}))
    process = runner("--sandbox", "off")
    until(lambda: mark in commands())
    # An end in order has to be told to the server, also over the connections that are open now.
    told = threading.Event()

    def break_off(handler: Handler) -> bool:
        told.set()
        handler.hang_up()
        return True

    server.trouble("POST .*/finish$", 1_000, break_off)

    process.send_signal(signal.SIGINT)
    assert told.wait(PATIENCE_SECONDS)
    process.send_signal(signal.SIGINT)

    assert process.wait(PATIENCE_SECONDS) == 1
    until(lambda: mark not in commands())


def commands() -> str:
    """The command lines of all processes."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                found.append((folder / "cmdline").read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


def test_after_sigkill_another_runner_finishes_with_nothing_lost_or_doubled(
    server: StandIn, runner: Start
) -> None:
    tests = [regression(number, f"-c 'sleep 0.3; echo {number}'") for number in range(1, 9)]
    server.queue.append(offer(tests, {1: b"media\n"}))
    first = runner(name="first")
    until(lambda: bool(server.attempts) and len(server.only().results) >= 2)

    first.kill()
    first.wait()
    with server.lock:
        held = server.only()
        held.lost = True
        left = [test for test in tests if test["regression_id"] not in held.results]
        server.queue.append(offer(left, {1: b"media\n"}, earlier_log=bytes(held.log)))
    second = runner("--once", name="second")

    assert second.wait(PATIENCE_SECONDS) == 0
    done = [*server.attempts[1].results, *server.attempts[2].results]
    assert sorted(done) == list(range(1, 9))
    assert server.attempts[2].finishes == [{"reason": "completed"}]
    assert server.attempts[2].log.startswith(server.attempts[1].log)


def test_a_runner_that_is_asked_to_end_gives_a_late_claim_back(
    server: StandIn, options: Callable[..., Options]
) -> None:
    shutdown = Shutdown()

    def request(_handler) -> bool:
        shutdown.request()
        return False

    server.trouble("POST /api/v1/attempts$", 1, request)
    server.queue.append(offer([regression(1, "")], {1: b"media\n"}))

    serve(options(drain=False), shutdown)

    assert server.only().finishes == [{"reason": "runner_shutdown"}]
