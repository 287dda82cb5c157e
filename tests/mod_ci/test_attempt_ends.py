"""How an attempt ends, and what is refused from then on."""

import pytest

from tests.mod_ci.attempts import OTHER, events, shown, summary
from tests.runners import accepted


def test_finishing_twice_with_the_same_reason_is_harmless(app, client, held, reader) -> None:
    assert held.finish().status_code == 200
    assert held.finish().status_code == 200
    other = held.finish("runner_shutdown")
    assert (other.status_code, other.json["code"]) == (409, "run_ended")

    told = [event["status"] for event in events(client, reader, held.run_id)]
    assert told.count("completed") == 1


def test_no_result_is_taken_after_the_end(app, client, held, test_, raw) -> None:
    accepted(held.finish())

    response = held.report(test_.id, {test_.output.id: OTHER})

    assert (response.status_code, response.json["code"]) == (409, "run_ended")
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    beat = held.heartbeat()
    assert (beat.status_code, beat.json["code"]) == (409, "run_ended")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("build_failed", "build"),
        ("build_failed", "checkout"),
        ("build_failed", "merge"),
        ("deadline_exceeded", "worker"),
        ("resource_unavailable", "storage"),
        ("internal_error", "web_server"),
    ],
)
def test_an_infrastructure_failure_never_looks_like_a_tests(
    app, client, held, reader, raw, reason, kind
) -> None:
    body = {"type": kind, "message": "cmake exited with 2", "stack": ["line 1", "line 2"]}

    for _ in range(2):
        assert held.finish(reason, **body).status_code == 200

    told = shown(client, reader, held.run_id)
    assert (told["status"], told["run_errors"]) == ("canceled", "yes")
    assert events(client, reader, held.run_id)[-1]["status"] == "error"
    counts = summary(client, reader, held.run_id)
    assert (counts["error_count"], counts["infrastructure_error_count"]) == (0, 1)
    assert raw.execute("SELECT end_reason, error_type, error_message FROM run_attempt") == [
        (reason, kind, "cmake exited with 2")
    ]


@pytest.mark.parametrize(
    ("reason", "body", "field"),
    [
        ("canceled", {}, "reason"),
        ("lease_expired", {}, "reason"),
        ("bored", {}, "reason"),
        ("build_failed", {}, "type"),
        ("build_failed", {"type": "compiler"}, "type"),
        ("build_failed", {"type": "build", "message": "m" * 1001}, "message"),
        ("build_failed", {"type": "build", "stack": ["s"] * 51}, "stack"),
        ("build_failed", {"type": "build", "stack": ["s" * 2001]}, "stack.0"),
        ("build_failed", {"type": "build", "stack": "s"}, "stack"),
    ],
)
def test_a_wrong_finish_is_refused_by_name(
    sqlite_app, client, held, reader, reason, body, field
) -> None:
    response = held.finish(reason, **body)

    assert response.status_code == 400
    assert field in response.json["details"]["fields"]
    assert shown(client, reader, held.run_id)["status"] == "running"


def test_a_completed_run_is_noted_as_the_last_that_passed(app, client, held, test_, raw) -> None:
    accepted(held.report(test_.id, {test_.output.id: test_.output.correct}))
    accepted(held.finish())

    assert raw.execute(
        "SELECT last_passed_on_linux, last_passed_on_windows FROM regression_test"
    ) == [(held.run_id, None)]
