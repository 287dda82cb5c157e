"""New baselines are asked for, with a reason, one by one or several at once."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import MATCH, Expected
from tests.mod_api.baselines.approvals import FAILING, REASON, People, ask, reading
from tests.mod_api.compared import BAD, GOOD, compared
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
