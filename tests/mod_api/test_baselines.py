"""New baselines: asked for, decided by somebody else, carried out everywhere at once, undone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import MATCH, Expected
from tests.mod_api.compared import BAD, GOOD, WORSE, Compared, another_run, compared
from tests.raw import Raw
from tests.sql import counted

SCOPES = ("baselines:write", "runs:read", "results:read", "system:read")
REASON = "The new wording is right."


class People:
    """Headers of who asks, who decides, and an admin, in the database of the moment."""

    def __init__(self) -> None:
        self.asker = factories.account("contributor", email="Asker@example.org")
        self.asks = factories.bearer(factories.token_for(self.asker, *SCOPES))
        self.decides = factories.signed_in("contributor", *SCOPES)
        self.admin = factories.signed_in("admin", *SCOPES)


@pytest.fixture
def people(site: Any) -> People:
    return People()


def ask(client: FlaskClient, case: Compared, by: dict[str, str], **more: Any) -> Any:
    """The answer to a request for a new baseline."""
    body = {**case.asked, "reason": REASON, **more}
    return client.post(f"{case.base}/baseline-approval", json=body, headers=by)


def asked(client: FlaskClient, case: Compared, by: dict[str, str], **more: Any) -> str:
    answer = ask(client, case, by, **more)
    assert answer.status_code == 202, answer.json
    approval_id: str = answer.json["approval_id"]
    return approval_id


def decide(client: FlaskClient, approval_id: str, what: str, by: dict[str, str]) -> Any:
    return client.post(f"/api/v1/baseline-approvals/{approval_id}/{what}", headers=by)


def side_by_side(app: Flask, wanted: list[tuple[str, str, dict[str, str]]]) -> list[Any]:
    """The answers to several decisions that are asked for at the same moment."""
    start = threading.Barrier(len(wanted))

    def go(one: tuple[str, str, dict[str, str]]) -> Any:
        client = app.test_client()
        start.wait(30)
        return decide(client, *one)

    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(go, wanted))


def reading(client: FlaskClient, case: Compared, by: dict[str, str]) -> tuple[Any, ...]:
    """How the run of `case` reads, asked of every endpoint that says so."""
    run = f"/api/v1/runs/{case.run.id}"
    summary = client.get(f"{run}/summary", headers=by).json
    errors = client.get(f"{run}/errors", headers=by).json
    return (
        client.get(run, headers=by).json["status"],
        summary["status"],
        (summary["pass_count"], summary["fail_count"], summary["error_count"]),
        errors["pagination"]["total"],
        client.get(f"{run}/error-summary", headers=by).json["pagination"]["total"],
        client.get(case.url("diff"), headers=by).json["status"],
    )


PASSING = ("pass", "pass", (1, 0, 0), 0, 0, "identical")
FAILING = ("fail", "fail", (0, 1, 1), 1, 1, "different")


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


def test_an_approval_passes_every_run_with_that_output_and_an_undo_fails_them_again(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    older = another_run(case.test, case.actual)
    other = another_run(case.test, factories.stored_output(sample_repository, WORSE))
    matching = another_run(case.test, MATCH)
    approval_id = asked(client, case, people.asks)

    approved = decide(client, approval_id, "approve", people.decides)

    assert approved.status_code == 200
    assert approved.json["status"] == "approved"
    assert approved.json["self_approved"] is False
    assert approved.json["changed_outputs"] == [
        {
            "regression_id": case.test.id,
            "output_id": case.output.id,
            "replaced_hash": case.expected,
            "new_hash": case.actual,
        }
    ]
    assert reading(client, case, people.asks) == PASSING
    assert reading(client, older, people.asks) == PASSING
    assert reading(client, other, people.asks) == FAILING
    assert reading(client, matching, people.asks) == PASSING

    undone = decide(client, approval_id, "undo", people.decides)

    assert undone.status_code == 200
    assert undone.json["undoes"] == approval_id
    assert undone.json["approval_id"] != approval_id
    assert undone.json["status"] == "approved"
    assert (undone.json["replaced_hash"], undone.json["new_hash"]) == (case.actual, case.expected)
    assert reading(client, case, people.asks) == FAILING
    assert reading(client, older, people.asks) == FAILING
    assert reading(client, other, people.asks) == FAILING
    assert reading(client, matching, people.asks) == PASSING
    record = client.get(f"/api/v1/baseline-approvals/{approval_id}", headers=people.asks).json
    assert record["status"] == "approved"
    assert record["undone_by"] == undone.json["approval_id"]


def test_what_matched_an_undone_baseline_meanwhile_fails_and_shows_its_difference(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    decide(client, approval_id, "approve", people.decides)
    meanwhile = another_run(case.test, MATCH)
    raw.execute(
        "UPDATE test_result_file SET expected = ? WHERE test_id = ?",
        [case.actual, meanwhile.run.id],
    )
    assert reading(client, meanwhile, people.asks) == PASSING

    decide(client, approval_id, "undo", people.decides)

    assert reading(client, meanwhile, people.asks) == FAILING
    actual = client.get(meanwhile.url("actual", format="text"), headers=people.asks).json
    assert actual["content"].encode() == BAD
    files = client.get(
        f"/api/v1/runs/{meanwhile.run.id}/artifacts?type=sample_output", headers=people.asks
    ).json["data"]
    assert [file["sha256"] for file in files] == [case.actual]

    again = asked(client, meanwhile, people.asks)
    decide(client, again, "approve", people.decides)

    assert reading(client, meanwhile, people.asks) == PASSING
    assert reading(client, case, people.asks) == PASSING


def test_a_reapproved_baseline_is_revoked_no_more(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    for step in range(3):
        approval_id = asked(client, case, people.asks)
        assert decide(client, approval_id, "approve", people.decides).status_code == 200
        assert raw.execute("SELECT COUNT(*) FROM baseline_revocation") == [(0,)], step
        assert reading(client, case, people.asks) == PASSING
        assert decide(client, approval_id, "undo", people.decides).status_code == 200
        assert raw.execute("SELECT file_hash FROM baseline_revocation") == [(case.actual,)], step
        assert reading(client, case, people.asks) == FAILING


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
    admins = asked(client, case, people.admin)

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


def test_a_baseline_where_there_was_none_can_be_approved_and_undone(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository, expected=None)
    assert client.get(case.url("diff"), headers=people.asks).json["status"] == "missing_expected"
    approval_id = asked(client, case, people.asks)

    decide(client, approval_id, "approve", people.decides)
    assert reading(client, case, people.asks) == PASSING
    decide(client, approval_id, "undo", people.decides)

    assert raw.execute("SELECT correct FROM regression_test_output") == [(None,)]
    record = client.get(f"/api/v1/baseline-approvals/{approval_id}", headers=people.asks).json
    assert record["replaced_hash"] is None
    assert record["diff"] is None


def test_variants_of_the_command_get_the_baseline_too(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    same = Expected(correct=case.expected)
    sibling = factories.regression_test(sample=case.test.sample, outputs=[same])
    others = [
        factories.regression_test(
            sample=case.test.sample, outputs=[Expected(correct=case.expected, extension=".SRT")]
        ),
        factories.regression_test(
            sample=case.test.sample, outputs=[Expected(correct=case.expected.upper())]
        ),
        factories.regression_test(outputs=[same]),
    ]
    of_sibling = another_run(sibling, case.actual)
    approval_id = asked(client, case, people.asks, apply_to_variants=True)

    approved = decide(client, approval_id, "approve", people.decides).json

    assert [change["output_id"] for change in approved["changed_outputs"]] == [
        case.output.id,
        sibling.output.id,
    ]
    assert reading(client, of_sibling, people.asks) == PASSING
    for other in others:
        found = raw.execute(
            "SELECT correct FROM regression_test_output WHERE id = ?", [other.output.id]
        )
        assert found == [(other.output.correct,)]

    decide(client, approval_id, "undo", people.decides)

    assert reading(client, of_sibling, people.asks) == FAILING
    assert reading(client, case, people.asks) == FAILING


def test_an_undo_of_several_outputs_is_all_or_nothing(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    sibling = factories.regression_test(
        sample=case.test.sample, outputs=[Expected(correct=case.expected)]
    )
    approval_id = asked(client, case, people.asks, apply_to_variants=True)
    decide(client, approval_id, "approve", people.decides)
    moved = factories.digest("moved on")
    raw.execute(
        "UPDATE regression_test_output SET correct = ? WHERE id = ?", [moved, sibling.output.id]
    )

    answer = decide(client, approval_id, "undo", people.decides)

    assert answer.status_code == 409
    assert answer.json["details"]["output_id"] == sibling.output.id
    assert reading(client, case, people.asks) == PASSING
    assert raw.execute("SELECT COUNT(*) FROM baseline_revocation") == [(0,)]


def test_a_variant_is_accepted_beside_the_baseline(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks, mode="variant")

    approved = decide(client, approval_id, "approve", people.decides)

    assert approved.json["mode"] == "variant"
    assert raw.execute("SELECT correct FROM regression_test_output") == [(case.expected,)]
    *passing, difference = reading(client, case, people.asks)
    assert tuple(passing) == PASSING[:-1]
    assert difference == "different"
    assert client.get(case.url("diff"), headers=people.asks).json["accepted_variant"] is True
    assert ask(client, case, people.asks, mode="variant").json["code"] == "already_accepted"

    decide(client, approval_id, "undo", people.decides)

    assert reading(client, case, people.asks) == FAILING
    assert client.get(case.url("diff"), headers=people.asks).json["accepted_variant"] is False


def test_an_undone_baseline_that_is_a_variant_too_goes_on_passing(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    variant = asked(client, case, people.asks, mode="variant")
    decide(client, variant, "approve", people.decides)
    promoted = asked(client, case, people.asks)
    decide(client, promoted, "approve", people.decides)

    decide(client, promoted, "undo", people.decides)

    assert reading(client, case, people.asks)[:-1] == PASSING[:-1]


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


def test_requests_are_listed_by_status_test_and_requester(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    other = compared(sample_repository)
    approved = asked(client, case, people.asks)
    decide(client, approved, "approve", people.decides)
    rejected = asked(client, other, people.asks)
    decide(client, rejected, "reject", people.decides)
    pending = asked(client, other, people.admin)

    def listed(query: str) -> list[str]:
        answer = client.get(f"/api/v1/baseline-approvals?{query}", headers=people.asks).json
        found = [each["approval_id"] for each in answer["data"]]
        assert answer["pagination"]["total"] >= len(found)
        return found

    assert listed("") == [pending, rejected, approved]
    assert listed("status=pending_review") == [pending]
    assert listed("status=approved") == [approved]
    assert listed("status=rejected") == [rejected]
    assert listed(f"regression_id={other.test.id}") == [pending, rejected]
    assert listed("requester=asker@EXAMPLE.org") == [rejected, approved]
    assert listed("requester=sker@example.org") == []
    assert listed("limit=1&offset=1") == [rejected]


def test_a_request_shows_the_summary_of_what_it_changes(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    decide(client, approval_id, "approve", people.decides)

    record = client.get(f"/api/v1/baseline-approvals/{approval_id}", headers=people.asks).json

    assert record["diff"]["status"] == "different"
    assert record["diff"]["summary"] == {"added_lines": 1, "removed_lines": 1, "changed_hunks": 1}
    assert record["diff"]["captions"]["kind"] == "text"
    (sample_repository / "TestResults" / f"{case.actual}.srt").unlink()
    without = client.get(f"/api/v1/baseline-approvals/{approval_id}", headers=people.asks).json
    assert without == {**record, "diff": None}


def test_records_stay_when_the_existing_site_deletes_what_they_tell_of(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People, raw: Raw
) -> None:
    case = compared(sample_repository)
    approved = asked(client, case, people.asks)
    decide(client, approved, "approve", people.decides)
    for table in (
        "test_result_file", "test_result", "customized_test", "test_progress", "test",
        "regression_test_output", "regression_test",
    ):  # fmt: skip
        raw.execute(f"DELETE FROM `{table}`")

    record = client.get(f"/api/v1/baseline-approvals/{approved}", headers=people.asks)
    undo = decide(client, approved, "undo", people.decides)

    assert record.status_code == 200
    assert record.json["status"] == "approved"
    assert undo.status_code == 404


def test_everything_is_in_the_audit_log(
    app: Flask, client: FlaskClient, sample_repository: Path, people: People
) -> None:
    case = compared(sample_repository)
    approval_id = asked(client, case, people.asks)
    decide(client, approval_id, "approve", people.decides)
    decide(client, approval_id, "undo", people.admin)
    rejected = asked(client, case, people.asks)
    decide(client, rejected, "reject", people.decides)

    events = client.get("/api/v1/audit-log", headers=people.admin).json["data"]

    assert [event["action"] for event in events] == [
        "baseline.rejected",
        "baseline.requested",
        "baseline.undone",
        "baseline.approved",
        "baseline.requested",
    ]
    approved = events[3]
    assert approved["subject_type"] == "baseline_approval"
    assert str(approved["subject_id"]) == approval_id
    assert approved["details"]["file_hash"] == case.actual
    assert approved["details"]["replaced_hash"] == case.expected
    assert events[4]["details"]["reason"] == REASON


def test_lists_cost_the_same_whatever_their_length(
    app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    people: People,
) -> None:
    case = compared(sample_repository)

    def cost() -> int:
        # The first read after a write may also bring derived tables up to date.
        client.get("/api/v1/runs", headers=people.asks)
        with counted(app) as statements:
            answer = client.get("/api/v1/baseline-approvals?limit=100", headers=people.asks)
        assert answer.status_code == 200
        return len(statements)

    for _ in range(3):
        asked(client, case, people.asks)
    few = cost()
    for _ in range(30):
        asked(client, case, people.asks)

    assert cost() == few <= 6
