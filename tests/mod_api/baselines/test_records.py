"""What is told of requests and decisions: the list, one of them, the audit log."""

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from tests.mod_api.baselines.approvals import REASON, People, asked, decide
from tests.mod_api.compared import compared
from tests.raw import Raw
from tests.sql import counted


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

    def ask_and_withdraw() -> None:
        decide(client, asked(client, case, people.asks), "withdraw", people.asks)

    for _ in range(3):
        ask_and_withdraw()
    few = cost()
    for _ in range(30):
        ask_and_withdraw()

    assert cost() == few <= 6
