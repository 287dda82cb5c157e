"""Infrastructure errors of a run: whose fault, of which type, and who may see the stack."""

import json

import pytest

from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_ci.models import EndReason
from tests import factories
from tests.raw import Raw
from tests.sql import counted

TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/srv/platform/build/git.py", line 7, in prepare\n'
    "TimeoutError: the disk did not answer"
)


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in(Role.user, Scope.SYSTEM_READ, Scope.RUNS_READ)


@pytest.fixture
def contributor(site) -> dict[str, str]:
    return factories.signed_in(Role.contributor, Scope.SYSTEM_READ, Scope.RUNS_READ)


def listed(client, headers, run, **query) -> dict:
    path = f"/api/v1/runs/{run.id}/infrastructure-errors"
    response = client.get(path, query_string=query, headers=headers)
    assert response.status_code == 200, response.json
    return response.json


def attempt(raw: Raw, run, number: int, reason: EndReason, **values) -> int:
    """An attempt of ours that ended, and is counted as a failure of its run; its id."""
    row = {
        "test_id": run.id,
        "number": number,
        "platform": "linux",
        "runner_name": "laptop-1",
        "credential_hash": factories.digest(f"{run.id} {number}"),
        "claimed_at": "2026-02-01 00:00:00",
        "deadline_at": "2026-02-01 06:00:00",
        "ended_at": f"2026-02-01 00:0{number}:00",
        "end_reason": reason.value,
        **values,
    }
    columns = ", ".join(f"`{name}`" for name in row)
    places = ", ".join(["?"] * len(row))
    raw.execute(
        f"INSERT INTO run_attempt ({columns}) VALUES ({places})",
        list(row.values()),
    )
    attempt_id = raw.last_id or 0
    if reason.is_infrastructure_failure:
        raw.execute(
            "UPDATE run_record SET failed_attempts = failed_attempts + 1 WHERE test_id = ?",
            (run.id,),
        )
    return attempt_id


def canceled(message: str):
    return factories.run(progress=["preparation", ("canceled", message)])


def test_a_failed_attempt_is_typed_as_the_runner_said(app, client, reader, raw) -> None:
    run = factories.run(progress=["preparation"])
    told = attempt(
        raw, run, 1, EndReason.build_failed, error_type="merge", stage="build",
        error_message="cmake exited with 2",
    )  # fmt: skip
    lost = attempt(raw, run, 2, EndReason.lease_expired)
    attempt(raw, run, 3, EndReason.runner_shutdown)

    page = listed(client, reader, run)

    assert page["data"] == [
        {
            "error_id": f"attempt-{told}",
            "run_id": run.id,
            "sample_id": None,
            "regression_id": None,
            "type": "merge",
            "severity": "critical",
            "message": "cmake exited with 2",
            "location": {
                "attempt": 1,
                "runner": "laptop-1",
                "reason": "build_failed",
                "stage": "build",
            },
            "occurred_at": "2026-02-01T00:01:00.000Z",
        },
        {
            **page["data"][1],
            "error_id": f"attempt-{lost}",
            "type": "worker",
            "message": "Attempt 2: laptop-1 stopped answering and lost the run.",
        },
    ]
    assert page["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("message", "type", "shown"),
    [
        ("Commit could not be merged", "merge", "Commit could not be merged"),
        (TRACEBACK, "storage", "TimeoutError: the disk did not answer"),
        ("Build failed\nsee /srv/log", "build", "Build failed"),
        ("", "worker", "The run was canceled without a message."),
    ],
)
def test_an_existing_schedulers_failure_is_typed_by_its_message(
    app, client, reader, message, type, shown
) -> None:
    (entry,) = listed(client, reader, canceled(message))["data"]

    assert (entry["type"], entry["message"], entry["severity"]) == (type, shown, "critical")
    assert "stack" not in entry


@pytest.mark.parametrize("message", ["PR closed", "Canceled by user", "Manually canceled"])
def test_a_persons_cancellation_is_no_infrastructure_error(app, client, reader, message) -> None:
    run = canceled(message)

    assert listed(client, reader, run)["data"] == []
    assert client.get(f"/api/v1/runs/{run.id}", headers=reader).json["run_errors"] == "no"


def test_a_run_that_completed_without_a_result_is_one_of_the_worker(app, client, reader) -> None:
    run = factories.run(progress=["testing", "completed"])

    (entry,) = listed(client, reader, run)["data"]

    assert (entry["type"], entry["error_id"]) == ("worker", f"run-{run.id}")
    assert entry["message"] == "The run completed without a single result."


def test_another_programs_end_is_told_beside_an_attempt_that_failed_before(
    app, client, reader, raw
) -> None:
    run = factories.run(progress=["preparation", ("canceled", "Quota exceeded")])
    attempt(raw, run, 1, EndReason.lease_expired)

    page = listed(client, reader, run)

    assert [entry["type"] for entry in page["data"]] == ["worker", "vm_provisioning"]


def test_summary_and_run_count_what_is_listed(app, client, reader, raw) -> None:
    run = factories.run(progress=["preparation"])
    for number in (1, 2):
        attempt(raw, run, number, EndReason.lease_expired)

    told = client.get(f"/api/v1/runs/{run.id}/summary", headers=reader).json

    assert told["infrastructure_error_count"] == 2 == len(listed(client, reader, run)["data"])
    assert client.get(f"/api/v1/runs/{run.id}", headers=reader).json["run_errors"] == "yes"


def test_filters_and_pages_select(app, client, reader, raw) -> None:
    run = factories.run(progress=["preparation"])
    for number, kind in enumerate(("build", "storage", "build"), start=1):
        attempt(raw, run, number, EndReason.internal_error, error_type=kind, error_message="x")

    builds = listed(client, reader, run, type="build")
    second = listed(client, reader, run, limit=1, offset=1)

    assert [entry["location"]["attempt"] for entry in builds["data"]] == [1, 3]
    assert listed(client, reader, run, severity="error")["data"] == []
    assert listed(client, reader, run, severity="critical")["pagination"]["total"] == 3
    assert [entry["type"] for entry in second["data"]] == ["storage"]
    assert second["pagination"] == {"limit": 1, "offset": 1, "total": 3, "next_offset": 2}


def test_stacks_are_shown_when_asked_for_by_those_who_may(app, client, contributor, raw) -> None:
    run = factories.run(progress=["preparation", ("canceled", TRACEBACK)])
    lines = [f"line {number}" for number in range(60)]
    attempt(raw, run, 1, EndReason.build_failed, error_stack=json.dumps(lines))

    told, ended = listed(client, contributor, run, include_stack="true")["data"]

    assert told["stack"] == lines[-50:]
    assert ended["stack"] == TRACEBACK.splitlines()
    assert all("stack" not in entry for entry in listed(client, contributor, run)["data"])


@pytest.mark.parametrize("role", [Role.user, Role.tester])
def test_stacks_are_refused_to_all_others(app, client, role) -> None:
    headers = factories.signed_in(role, Scope.SYSTEM_READ)
    path = f"/api/v1/runs/{canceled(TRACEBACK).id}/infrastructure-errors"

    refused = client.get(f"{path}?include_stack=true", headers=headers)

    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert client.get(f"{path}?include_stack=false", headers=headers).status_code == 200
    assert client.get(f"{path}?include_stack=yes", headers=headers).status_code == 400


def test_a_hundred_errors_cost_as_many_statements_as_three(app, client, reader, raw) -> None:
    costs = []
    for attempts in (3, 9):
        run = factories.run(progress=["preparation"])
        for number in range(1, attempts + 1):
            attempt(raw, run, number, EndReason.lease_expired)
        with counted(app) as statements:
            listed(client, reader, run)
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 6


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (TRACEBACK, "TimeoutError: the disk did not answer"),
        (f"The worker failed:\n{TRACEBACK}\n", "The worker failed: TimeoutError: the disk did"),
        (TRACEBACK.partition("\n")[2], "TimeoutError: the disk did not answer"),
        (TRACEBACK[:90], "Traceback (most recent call last):"),
        (f"{TRACEBACK}\n\nDuring handling:\n\n{TRACEBACK[:-3]}d", "TimeoutError: the disk did not"),
        ("Error: no room\n   at Ci.Worker.Run() in /srv/platform/Worker.cs:line 8", "Error: no"),
    ],
)
def test_no_other_answer_shows_more_of_a_stack_than_its_last_line(
    app, client, raw, message, shown
) -> None:
    headers = factories.signed_in("admin", "runs:read", "system:read", "results:read")
    test = factories.regression_test()
    run = factories.run(
        tests=[test],
        progress=["preparation", ("testing", message), ("canceled", message)],
    )
    factories.result(run, test, exit_code=1)
    raw.execute("UPDATE run_record SET reason = ? WHERE test_id = ?", [message[:255], run.id])
    told = "INSERT INTO result_record (test_id, regression_test_id, outcome, message, recorded_at)"
    raw.execute(
        f"{told} VALUES (?, ?, 'exited', ?, '2026-02-01 00:00:00')", [run.id, test.id, message]
    )
    attempt(raw, run, 1, EndReason.internal_error, error_message=message)
    raw.execute(
        "INSERT INTO audit_event (at, action, subject_type, subject_id, details) "
        "VALUES ('2026-02-01 00:00:00', 'run.canceled', 'run', ?, ?)",
        [run.id, json.dumps({"reason": message})],
    )
    parts = (
        "progress", "infrastructure-errors", "errors", "samples", f"samples/{test.id}", "events"
    )  # fmt: skip

    answers = [client.get(f"/api/v1/runs/{run.id}/{part}", headers=headers) for part in parts]
    answers.append(client.get("/api/v1/audit-log", headers=headers))

    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert "/srv/platform" not in answer.text, answer.request.path
        assert shown in answer.text, answer.request.path
