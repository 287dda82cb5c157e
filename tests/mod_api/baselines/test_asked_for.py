"""New baselines are asked for, with a reason, one by one or several at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import MATCH, Expected
from tests.mod_api.baselines.approvals import (
    FAILING,
    REASON,
    People,
    ask,
    asked,
    decide,
    reading,
)
from tests.mod_api.compared import BAD, GOOD, compared
from tests.patience import PATIENCE_SECONDS
from tests.raw import Raw


def test_a_request_is_recorded_and_changes_nothing_yet(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)

    answer = ask(client, case, people.asks)

    assert answer.status_code == 202
    told = answer.json
    assert isinstance(told["approval_id"], str)
    assert told["status"] == "pending_review"
    assert told["requested_by"] == "Asker@example.org"
    assert (told["run_id"], told["sample_id"]) == (case.run.id, case.test.sample.id)
    assert (told["regression_id"], told["output_id"]) == (case.test.id, case.output.id)
    assert (told["replaced_hash"], told["new_hash"]) == (case.expected, case.actual)
    assert told["reason"] == REASON
    assert told["changed_outputs"] == []
    assert reading(client, case, people.asks) == FAILING


def test_there_is_nothing_to_approve_where_the_output_is_its_baseline(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    matching = compared(sample_repository, actual=None)
    same = compared(sample_repository, expected=BAD, actual=BAD)

    assert ask(client, matching, people.asks).json["code"] == "nothing_to_approve"
    assert ask(client, same, people.asks).json["code"] == "nothing_to_approve"


def test_a_missing_output_is_no_baseline(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    raw.execute("DELETE FROM test_result_file")

    answer = ask(client, case, people.asks)

    assert answer.status_code == 404
    assert answer.json["code"] == "missing_output"


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "too short",
        "          ",
        "aaaaaaaaaaaaaa",
        "a a a a a a a a",
        "  short   ",
        "x" * 501,
        7,
        "placeholder",
        "Placeholder!!!",
        "todo todo todo",
        "TODO: todo, todo",
        "todotodotodo",
        "n/a n/a n/a n/a",
        "asdf asdf asdf",
        "test test test",
        "Testing 1 2 3 4",
        "1234567890",
        "lorem ipsum dolor",
        "Lorem ipsum dolor sit amet.",
        "-----------x",
        "..............",
        "\uff54\uff4f\uff44\uff4f todo todo",
        "no reason, no reason",
        "because because because",
    ],
)
def test_what_fills_a_field_is_no_reason(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    people: People,
    reason: Any,
) -> None:
    case = compared(sample_repository)

    answer = ask(client, case, people.asks, reason=reason)

    assert answer.status_code == 400
    assert "reason" in answer.json["details"]["fields"]


@pytest.mark.parametrize(
    "reason",
    [
        REASON,
        "  REASON 7: wording  ",
        "新しい字幕の表記が正しい",
        "The test is right",
        "Fixes #1234, see there",
    ],
)
def test_what_says_something_is_a_reason(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, people: People, reason: str
) -> None:
    answer = ask(client, compared(sample_repository), people.asks, reason=reason)

    assert (answer.status_code, answer.json["reason"]) == (202, reason.strip())


@pytest.mark.parametrize("mode", ["replace", "variant"])
def test_a_second_request_for_the_same_content_names_the_first(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, mode: str
) -> None:
    case = compared(sample_repository)
    first = asked(client, case, people.asks)
    entry = {"sample_id": case.test.sample.id, "reason": REASON, **case.asked}

    second = ask(client, case, people.decides, mode=mode)
    batch = client.post(
        f"/api/v1/runs/{case.run.id}/baseline-approvals",
        json={"approvals": [entry]}, headers=people.admin,
    )  # fmt: skip

    for answer in (second, batch):
        assert (answer.status_code, answer.json["code"]) == (409, "already_requested")
        assert answer.json["details"]["approval_id"] == first
    decide(client, first, "reject", people.decides)
    assert ask(client, case, people.decides, mode=mode).status_code == 202


def test_of_equal_requests_side_by_side_one_is_taken(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    for _ in range(5):
        case = compared(sample_repository)
        start = threading.Barrier(4)

        def one(by: dict[str, str]) -> Any:
            start.wait(PATIENCE_SECONDS)  # noqa: B023  both are used up within the loop
            return ask(app.test_client(), case, by)  # noqa: B023

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(one, [people.asks, people.decides] * 2))

        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
        (taken,) = [each.json["approval_id"] for each in answers if each.status_code == 202]
        assert {
            each.json["details"]["approval_id"] for each in answers if each.status_code == 409
        } == {taken}


def test_a_request_that_can_no_longer_be_approved_stands_in_nobodys_way(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    stale = asked(client, case, people.asks)
    moved = factories.stored_output(sample_repository, b"moved")
    raw.execute("UPDATE regression_test_output SET correct = ?", [moved])

    fresh = asked(client, case, people.decides)

    listed = client.get("/api/v1/baseline-approvals", headers=people.asks).json["data"]
    assert [
        (row["approval_id"], row["approvable"], row["not_approvable_because"]) for row in listed
    ] == [(fresh, True, None), (stale, False, "baseline_changed")]
    assert decide(client, stale, "approve", people.admin).json["code"] == "baseline_changed"
    assert decide(client, fresh, "approve", people.asks).status_code == 200
    approved = client.get(f"/api/v1/baseline-approvals/{fresh}", headers=people.asks).json
    assert (approved["approvable"], approved["not_approvable_because"]) == (False, None)


def test_the_list_says_what_stands_against_an_approval(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks, mode="variant")
    raw.execute(
        "INSERT INTO regression_test_output_files (file_hashes, regression_test_output_id) "
        "VALUES (?, ?)",
        [case.actual, case.output.id],
    )

    def why() -> Any:
        (row,) = client.get("/api/v1/baseline-approvals", headers=people.asks).json["data"]
        assert row["approvable"] is False
        return row["not_approvable_because"]

    assert why() == "already_accepted"
    assert decide(client, approval_id, "approve", people.admin).json["code"] == "already_accepted"
    for table in ("regression_test_output_files", "test_result_file", "regression_test_output"):
        raw.execute(f"DELETE FROM {table}")
    assert why() == "output_deleted"


@pytest.mark.parametrize(
    "more",
    [
        {"apply_to_variants": "yes"}, {"apply_to_variants": None}, {"mode": "both"},
        {"output_id": 0}, {"output_id": 2**31}, {"regression_id": "1"}, {"more": 1},
    ],
)  # fmt: skip
def test_wrong_requests_are_refused(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    people: People,
    more: dict[str, Any],
) -> None:
    case = compared(sample_repository)

    assert ask(client, case, people.asks, **more).status_code == 400


def test_several_are_asked_for_at_once_all_or_none(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    bad = factories.stored_output(sample_repository, BAD)
    test = factories.regression_test(
        outputs=[Expected(correct=good), Expected(correct=good), Expected(correct=good)]
    )
    first, second, third = test.outputs
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test, outputs={first: bad, second: bad, third: MATCH})
    url = f"/api/v1/runs/{run.id}/baseline-approvals"

    def entry(output: Any) -> dict[str, Any]:
        ids = {"sample_id": test.sample.id, "regression_id": test.id, "output_id": output.id}
        return {**ids, "reason": REASON}

    refused = client.post(
        url, json={"approvals": [entry(first), entry(third)]}, headers=people.asks
    )
    twice = client.post(url, json={"approvals": [entry(first), entry(first)]}, headers=people.asks)
    none = client.post(url, json={"approvals": []}, headers=people.asks)
    assert (refused.status_code, refused.json["details"]["index"]) == (409, 1)
    assert (twice.status_code, none.status_code) == (400, 400)
    assert raw.execute("SELECT COUNT(*) FROM baseline_approval") == [(0,)]
    assert raw.execute("SELECT COUNT(*) FROM audit_event") == [(0,)]

    taken = client.post(url, json={"approvals": [entry(first), entry(second)]}, headers=people.asks)

    assert taken.status_code == 202
    assert [each["output_id"] for each in taken.json["data"]] == [first.id, second.id]
