"""Several requests for baselines are decided in one call, all or none."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.mod_api.baselines.approvals import FAILING, PASSING, People, asked, decide, reading
from tests.mod_api.compared import Compared, compared
from tests.raw import Raw

PATH = "/api/v1/baseline-approvals/decisions"
REASON = "All of these are right."


def send(client: FlaskClient, ids: list[str], by: dict[str, str], **more: Any) -> Any:
    body = {"ids": ids, "decision": "approve", "reason": REASON, **more}
    return client.post(PATH, json=body, headers=by)


@pytest.fixture
def cases(app: Flask, sample_repository: Path) -> list[Compared]:
    return [compared(sample_repository) for _ in range(3)]


def requested(client: FlaskClient, cases: list[Compared], people: People) -> list[str]:
    return [asked(client, case, people.asks) for case in cases]


def test_all_are_approved_and_recorded(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People, raw: Raw
) -> None:
    ids = requested(client, cases, people)

    answer = send(client, ids[::-1], people.decides)

    assert answer.status_code == 200, answer.json
    assert [each["approval_id"] for each in answer.json["data"]] == ids[::-1]
    assert {each["status"] for each in answer.json["data"]} == {"approved"}
    assert [reading(client, case, people.asks) for case in cases] == [PASSING] * 3
    recorded = raw.execute("SELECT count(*) FROM audit_event WHERE action = 'baseline.approved'")
    assert recorded == [(3,)]


def test_all_are_rejected(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People
) -> None:
    answer = send(client, requested(client, cases, people), people.decides, decision="reject")

    assert {each["status"] for each in answer.json["data"]} == {"rejected"}
    assert reading(client, cases[0], people.asks) == FAILING


def test_none_is_decided_where_one_is_refused(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People
) -> None:
    ids = requested(client, cases, people)
    decide(client, ids[1], "reject", people.decides)

    answer = send(client, ids, people.decides)

    assert (answer.status_code, answer.json["code"]) == (409, "already_decided")
    assert answer.json["details"]["index"] == 1
    assert [reading(client, case, people.asks) for case in cases] == [FAILING] * 3


def test_ones_own_are_for_somebody_else(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People
) -> None:
    answer = send(client, requested(client, cases, people), people.asks)

    assert (answer.status_code, answer.json["code"]) == (403, "own_request")


def test_one_that_is_not_there_is_named(
    sqlite_app: Flask, client: FlaskClient, people: People
) -> None:
    answer = send(client, ["2147483647"], people.decides)

    assert (answer.status_code, answer.json["details"]["id"]) == (404, 2147483647)


@pytest.mark.parametrize("ids", [[], ["1", "1"], ["0"], ["01"], [1], ["a"], ["1"] * 101])
def test_ids_are_each_once_and_at_most_a_hundred(
    sqlite_app: Flask, client: FlaskClient, people: People, ids: list[Any]
) -> None:
    answer = send(client, ids, people.decides)

    assert answer.status_code == 400
    assert {field.partition(".")[0] for field in answer.json["details"]["fields"]} == {"ids"}


def test_two_at_once_decide_each_request_once(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People, raw: Raw
) -> None:
    ids = requested(client, cases, people)

    def decided(order: int) -> int:
        return int(send(app.test_client(), ids[::order], people.decides).status_code)

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(decided, [1, -1]))

    assert statuses == [200, 409]
    assert raw.execute("SELECT count(*) FROM baseline_decision") == [(3,)]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_it_is_a_path_of_its_own_for_every_method(
    sqlite_app: Flask, client: FlaskClient, people: People, method: str
) -> None:
    answer = client.open(PATH, method=method, headers=people.decides)

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_requests_of_a_run_are_listed(
    app: Flask, client: FlaskClient, cases: list[Compared], people: People
) -> None:
    ids = requested(client, cases, people)

    listed = client.get(
        f"/api/v1/baseline-approvals?run_id={cases[1].run.id}", headers=people.asks
    ).json

    assert [each["approval_id"] for each in listed["data"]] == [ids[1]]
    assert listed["pagination"]["total"] == 1
