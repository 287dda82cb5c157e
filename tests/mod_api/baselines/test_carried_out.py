"""What an approval and its undoing change: how every run with that output reads."""

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import MATCH, Expected
from tests.mod_api.baselines.approvals import FAILING, PASSING, People, ask, asked, decide, reading
from tests.mod_api.compared import BAD, WORSE, another_run, compared
from tests.raw import Raw


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
