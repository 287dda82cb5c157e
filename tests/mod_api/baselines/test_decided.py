"""Who decides about a new baseline: one decision, of what is still so."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.mod_api.baselines.approvals import (
    FAILING,
    PASSING,
    SCOPES,
    People,
    ask,
    asked,
    decide,
    reading,
)
from tests.mod_api.compared import WORSE, another_run, compared
from tests.patience import PATIENCE_SECONDS
from tests.raw import Raw


def side_by_side(app: Flask, wanted: list[tuple[str, str, dict[str, str]]]) -> list[Any]:
    """The answers to several decisions that are asked for at the same moment."""
    start = threading.Barrier(len(wanted))

    def go(one: tuple[str, str, dict[str, str]]) -> Any:
        client = app.test_client()
        start.wait(PATIENCE_SECONDS)
        return decide(client, *one)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(go, wanted))


def test_approvals_are_undone_in_the_order_in_which_they_came(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    worse = another_run(case.test, factories.stored_output(sample_repository, WORSE))
    first = asked(client, case, people.asks)
    decide(client, first, "approve", people.decides)
    second = asked(client, worse, people.asks)
    decide(client, second, "approve", people.decides)

    too_early = decide(client, first, "undo", people.decides)

    assert too_early.status_code == 409
    assert too_early.json["code"] == "baseline_changed"
    assert too_early.json["details"]["seen_hash"] == case.actual
    assert too_early.json["details"]["current_hash"] == worse.actual
    assert decide(client, second, "undo", people.decides).status_code == 200
    assert reading(client, case, people.asks) == PASSING
    assert decide(client, first, "undo", people.decides).status_code == 200
    assert raw.execute("SELECT correct FROM regression_test_output") == [(case.expected,)]


def test_a_baseline_that_changed_since_the_request_is_not_replaced(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    moved = factories.stored_output(sample_repository, WORSE)
    raw.execute("UPDATE regression_test_output SET correct = ?", [moved])

    answer = decide(client, approval_id, "approve", people.decides)

    assert answer.status_code == 409
    assert answer.json["code"] == "baseline_changed"
    assert answer.json["details"]["seen_hash"] == case.expected
    assert answer.json["details"]["current_hash"] == moved
    assert raw.execute("SELECT correct FROM regression_test_output") == [(moved,)]
    pending = client.get("/api/v1/baseline-approvals?status=pending_review", headers=people.asks)
    assert pending.json["pagination"]["total"] == 1


def test_two_people_who_approve_different_outputs_at_once_do_not_both_succeed(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    worse = another_run(case.test, factories.stored_output(sample_repository, WORSE))
    for _ in range(5):
        wanted = [asked(client, each, people.asks) for each in (case, worse)]

        answers = side_by_side(
            app, [(wanted[0], "approve", people.decides), (wanted[1], "approve", people.admin)]
        )

        winner, loser = sorted(answers, key=lambda answer: answer.status_code)
        assert (winner.status_code, loser.status_code) == (200, 409)
        kept = winner.json["new_hash"]
        assert loser.json["details"]["seen_hash"] == case.expected
        assert loser.json["details"]["current_hash"] == kept
        assert raw.execute("SELECT correct FROM regression_test_output") == [(kept,)]
        undone = decide(client, winner.json["approval_id"], "undo", people.decides)
        assert undone.status_code == 200
        (lost,) = {*wanted} - {winner.json["approval_id"]}
        rejected = decide(client, lost, "reject", people.admin)
        assert rejected.status_code == 200


def test_one_request_is_decided_once_whoever_comes_first(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)

    answers = side_by_side(
        app, [(approval_id, what, people.decides) for what in ("approve", "reject") * 2]
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    losers = [answer.json["code"] for answer in answers if answer.status_code == 409]
    assert losers == ["already_decided"] * 3


def test_two_undos_at_once_are_one(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    decide(client, approval_id, "approve", people.decides)

    answers = side_by_side(app, [(approval_id, "undo", people.decides)] * 3)

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]


@pytest.mark.parametrize("what", ["approve", "reject"])
def test_nobody_but_an_admin_decides_about_their_own_request(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, what: str
) -> None:
    case = compared(sample_repository)
    own = asked(client, case, people.asks)
    admins = asked(client, compared(sample_repository), people.admin)

    refused = decide(client, own, what, people.asks)
    taken = decide(client, admins, what, people.admin)

    assert refused.status_code == 403
    assert refused.json["code"] == "own_request"
    assert taken.status_code == 200
    assert taken.json["self_approved"] is True


@pytest.mark.parametrize("role", ["user", "tester"])
def test_others_neither_ask_nor_decide(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, people: People, role: str
) -> None:
    stranger = factories.signed_in(role, *SCOPES)
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)

    assert ask(client, case, stranger).status_code == 403
    for what in ("approve", "reject", "undo"):
        assert decide(client, approval_id, what, stranger).status_code == 403
    listed = client.get("/api/v1/baseline-approvals", headers=stranger)
    assert listed.json["pagination"]["total"] == 1


def test_whoever_asked_may_withdraw_until_it_is_decided(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    url = f"/api/v1/baseline-approvals/{approval_id}/withdraw"

    foreign = [decide(client, approval_id, "withdraw", by) for by in (people.decides, people.admin)]
    mine = client.post(url, json={"reason": "The wrong output, sorry."}, headers=people.asks)
    later = [decide(client, approval_id, what, people.asks) for what in ("withdraw", "approve")]

    assert {(each.status_code, each.json["code"]) for each in foreign} == {(403, "not_own_request")}
    assert mine.status_code == 200
    assert (mine.json["status"], mine.json["withdrawn"]) == ("rejected", True)
    assert (mine.json["self_approved"], mine.json["approvable"]) == (False, False)
    assert mine.json["decision_reason"] == "The wrong output, sorry."
    assert {(each.status_code, each.json["code"]) for each in later} == {(409, "already_decided")}
    listed = client.get("/api/v1/baseline-approvals?status=rejected", headers=people.asks).json
    assert [row["approval_id"] for row in listed["data"]] == [approval_id]
    event = client.get("/api/v1/audit-log", headers=people.admin).json["data"][0]
    assert (event["action"], event["account"]) == ("baseline.withdrawn", people.asker.name)
    assert event["details"]["reason"] == "The wrong output, sorry."
    assert reading(client, case, people.asks) == FAILING
    assert ask(client, case, people.asks).status_code == 202


def test_a_withdrawal_beside_a_decision_is_decided_once(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    for _ in range(5):
        approval_id = asked(client, compared(sample_repository), people.asks)

        answers = side_by_side(
            app,
            [(approval_id, "withdraw", people.asks), (approval_id, "approve", people.decides)],
        )

        assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_a_rejection_changes_nothing_and_is_final(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)

    rejected = client.post(
        f"/api/v1/baseline-approvals/{approval_id}/reject",
        json={"reason": "That is a bug in the decoder."},
        headers=people.decides,
    )
    later = decide(client, approval_id, "approve", people.decides)
    undo = decide(client, approval_id, "undo", people.decides)

    assert rejected.json["status"] == "rejected"
    assert rejected.json["decision_reason"] == "That is a bug in the decoder."
    assert later.status_code == undo.status_code == 409
    assert later.json["code"] == "already_decided"
    assert undo.json["code"] == "not_approved"
    assert reading(client, case, people.asks) == FAILING


def test_an_undoing_is_not_undone_but_asked_for_again(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    decide(client, approval_id, "approve", people.decides)
    undone = decide(client, approval_id, "undo", people.decides).json["approval_id"]

    assert decide(client, undone, "undo", people.decides).json["code"] == "not_approved"
    assert decide(client, undone, "approve", people.decides).json["code"] == "already_decided"
    assert decide(client, approval_id, "undo", people.decides).json["code"] == "already_undone"


def test_a_file_in_no_storage_becomes_no_baseline(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    (sample_repository / "TestResults" / f"{case.actual}.srt").unlink()

    answer = decide(client, approval_id, "approve", people.decides)

    assert answer.status_code == 422
    assert answer.json["code"] == "not_stored"
    assert raw.execute("SELECT correct FROM regression_test_output") == [(case.expected,)]
