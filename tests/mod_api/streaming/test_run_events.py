"""A run's life as a stream: its progress, result by result, with the counts so far."""

from typing import Any

import pytest
from flask import Flask

from mod_api.services.runs.run_events import MOST_RESULTS
from tests import factories
from tests.mod_api.streaming.following import Event, follow
from tests.raw import Raw
from tests.runners import Held, Runner, accepted, lose_lease
from tests.web_server import Server


def events_of(run_id: int) -> str:
    return f"/api/v1/runs/{run_id}/events"


def told(events: list[Event]) -> list[tuple[str, Any]]:
    return [(event.name, event.data) for event in events]


def held_run(runners: Runner, tests: int) -> Held:
    factories.run(tests=[factories.regression_test() for _ in range(tests)])
    return runners.claim()


def test_progress_and_results_come_one_by_one_with_counts_and_then_the_end(
    app: Flask, server: Server, someone: dict[str, str], runners: Runner
) -> None:
    held = held_run(runners, 2)
    following = follow(server, events_of(held.run_id), someone)
    opening = following.take(3)
    accepted(held.heartbeat(stage="test"))
    testing = following.take(2)
    output_id = held.claim["tests"][0]["outputs"][0]["output_id"]
    accepted(held.report(held.tests[0], {output_id: b"another"}))
    accepted(held.report(held.tests[1], exit_code=3))
    second: list[Event] = []
    while sum(event.name == "result" for event in second) < 2:
        second += following.take(1)
    accepted(held.finish())
    events = opening + testing + second + following.rest()

    assert [event.data["status"] for event in events if event.name == "progress"] == [
        "queued", "preparation", "testing", "completed",
    ]  # fmt: skip
    first, result = [event.data for event in events if event.name == "result"]
    assert [first["regression_id"], result["regression_id"]] == held.tests
    assert first["status"] == "fail"
    assert (result["status"], result["exit_code"], result["expected_exit_code"]) == (
        "missing_output", 3, 0,
    )  # fmt: skip
    counts = [event.data for event in events if event.name == "counts"]
    assert counts[0]["skipped_count"] == 2
    assert (counts[-1]["missing_output_count"], counts[-1]["total_samples"]) == (1, 2)
    assert counts[-1]["status"] == "fail"
    assert events[-1].name == "end"
    assert events[-1].data == {"run_id": held.run_id, "status": "fail"}


def test_who_reconnects_after_every_event_gets_each_once_and_misses_none(
    server: Server, someone: dict[str, str], runners: Runner
) -> None:
    held = held_run(runners, 5)
    seen: list[Event] = []
    last_id: str | None = None

    def look(name: str) -> None:
        nonlocal last_id
        following = follow(server, events_of(held.run_id), someone, last_id=last_id)
        for event in following.events():
            last_id = following.last_id
            seen.append(event)
            if event.name in (name, "end"):
                break
        following.close()

    look("progress")
    look("progress")
    accepted(held.heartbeat(stage="build"))
    for regression_id in held.tests:
        accepted(held.report(regression_id))
        accepted(held.report(regression_id, exit_code=1))
    accepted(held.finish())
    while seen[-1].name != "end":
        look("result" if last_id != seen[-1].id else "progress")

    results = [event.data["regression_id"] for event in seen if event.name == "result"]
    statuses = [event.data["status"] for event in seen if event.name == "progress"]
    assert results == held.tests
    assert statuses == ["queued", "preparation", "preparation", "completed"]


def test_a_queued_run_is_waited_for_without_telling_it_is_queued_again(
    server: Server, someone: dict[str, str], runners: Runner
) -> None:
    run = factories.run(tests=[factories.regression_test()])
    first = follow(server, events_of(run.id), someone)
    (queued,) = first.take(1)
    again = follow(server, events_of(run.id), someone, last_id=queued.id)
    (counts,) = again.take(1)
    runners.claim()

    assert queued.data["status"] == "queued"
    assert counts.name == "counts"
    assert told(again.take(1))[0][1]["status"] == "preparation"


def test_a_run_that_lost_its_runner_goes_on_in_the_same_stream(
    server: Server, someone: dict[str, str], runners: Runner, raw: Raw
) -> None:
    held = held_run(runners, 1)
    following = follow(server, events_of(held.run_id), someone)
    following.take(3)
    lose_lease(raw, held.run_id)
    next_held = runners.claim()
    accepted(next_held.report(next_held.tests[0]))
    accepted(next_held.finish())

    names = [event.name for event in following.rest()]

    assert names[-1] == "end"
    assert names.count("result") == 1


def test_a_canceled_run_ends_at_once(server: Server, someone: dict[str, str], held: Held) -> None:
    following = follow(server, events_of(held.run_id), someone)
    following.take(3)
    headers = factories.signed_in("admin", "runs:write")
    reply = server.ask(
        "POST",
        f"/api/v1/runs/{held.run_id}/cancel",
        body=b"{}",
        headers={**headers, "Content-Type": "application/json"},
    )
    events = following.rest()

    assert reply.status == 202
    assert [event.data["status"] for event in events if event.name != "counts"] == [
        "canceled", "canceled",
    ]  # fmt: skip


def test_results_of_an_old_worker_are_told_by_their_counts(
    server: Server, someone: dict[str, str]
) -> None:
    # Without outputs: a result and its outputs are rows that the stream may see one by one.
    test = factories.regression_test(outputs=())
    run = factories.run(tests=[test], progress=["preparation", "testing"])
    following = follow(server, events_of(run.id), someone)
    while following.take(1)[0].name != "counts":
        pass
    factories.result(run, test)

    (event,) = following.take(1)

    assert (event.name, event.data["pass_count"]) == ("counts", 1)


@pytest.mark.parametrize("last_id", [
    "x", "1", "1-", "-2-1", "-1", "1--1", "1-1-1", "99999999999-1", "\xb2-1", "END", "end-1",
])  # fmt: skip
def test_an_id_that_is_none_is_refused(
    server: Server, someone: dict[str, str], held: Held, last_id: str
) -> None:
    reply = server.get(events_of(held.run_id), {**someone, "Last-Event-ID": last_id})

    assert reply.status == 400
    assert b"Last-Event-ID" in reply.body


def test_who_may_not_read_runs_gets_no_events(server: Server, held: Held) -> None:
    headers = factories.signed_in("user", "runs:read")

    assert server.get(events_of(held.run_id)).status == 401
    assert (
        server.get(events_of(held.run_id), factories.signed_in("user", "system:read")).status == 403
    )
    assert server.get(events_of(2147483647), headers).status == 404


def test_more_results_than_one_look_takes_come_at_once_and_before_what_is_newer(
    server: Server, someone: dict[str, str], runners: Runner
) -> None:
    sample = factories.sample()
    tests = [factories.regression_test(sample=sample, outputs=()) for _ in range(MOST_RESULTS + 2)]
    factories.run(tests=tests)
    held = runners.claim()
    for regression_id in held.tests:
        assert held.report(regression_id).status_code == 200

    events = follow(server, events_of(held.run_id), someone).take(MOST_RESULTS + 4)

    assert [event.data["regression_id"] for event in events[: len(tests)]] == held.tests
    assert [event.data.get("status") for event in events[len(tests) : -1]] == [
        "queued", "preparation", "testing",
    ][: len(events) - len(tests) - 1]  # fmt: skip
