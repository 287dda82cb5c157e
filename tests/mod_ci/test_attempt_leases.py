"""How long an attempt holds its run, and what its heartbeats tell."""

from datetime import UTC, datetime, timedelta

import pytest

from mod_ci import attempts
from tests import factories
from tests.mod_ci.attempts import events, shown, summary
from tests.runners import API, LONG_AGO, accepted, runner


def test_every_call_renews_the_lease(app, client, held, raw, test_) -> None:
    for call in (
        held.heartbeat,
        lambda: held.report(test_.id, {test_.output.id: test_.output.correct}),
        lambda: held.append(0, b"line\n"),
    ):
        near = datetime.now(UTC) + timedelta(seconds=20)
        raw.execute(
            "UPDATE run_record SET lease_expires_at = ?", [near.strftime("%Y-%m-%d %H:%M:%S.%f")]
        )
        response = call()

        assert response.status_code == 200
        assert response.json["lease"]["seconds"] == 3600
        expires = datetime.fromisoformat(response.json["lease"]["expires_at"])
        assert 1800 < (expires - datetime.now(UTC)).total_seconds() <= 3601


def test_a_result_leaves_a_lease_that_was_renewed_a_moment_ago(
    make_app, site, raw, test_, monkeypatch
) -> None:
    monkeypatch.setattr(attempts, "A_MOMENT", timedelta(minutes=2))
    app = make_app(lease_seconds=3600)
    factories.run(tests=[test_])
    held = runner(app.test_client()).claim()
    outputs = {test_.output.id: test_.output.correct}
    kept = "SELECT lease_expires_at FROM run_record"
    before = raw.execute(kept)

    told = held.report(test_.id, outputs).json
    assert raw.execute(kept) == before
    assert told["lease"]["expires_at"] == held.claim["lease"]["expires_at"]

    monkeypatch.setattr(attempts, "A_MOMENT", timedelta(0))
    accepted(held.report(test_.id, outputs))
    assert raw.execute(kept) > before


def test_an_append_renews_a_lease_that_is_partly_used_up(
    make_app, site, raw, test_, monkeypatch
) -> None:
    # A lease is the database's, whatever this process takes for the time.
    behind = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(attempts, "now", lambda: behind, raising=False)
    app = make_app(lease_seconds=3600)
    factories.run(tests=[test_])
    held = runner(app.test_client()).claim()
    soon = "(strftime('%Y-%m-%d %H:%M:%f', 'now', '100 seconds') || '000')"
    raw.execute(f"UPDATE run_record SET lease_expires_at = {soon}")

    told = held.append(0, b"line\n").json

    expires = datetime.fromisoformat(told["lease"]["expires_at"])
    assert (expires - datetime.now(UTC)).total_seconds() > 3000


def test_each_stage_is_one_event_with_its_step(app, client, held, reader) -> None:
    for stage in ("checkout", "checkout", "build", "merge", "test", "test"):
        assert held.heartbeat(stage=stage).status_code == 200
    accepted(held.heartbeat(stage="finish", message="Nearly there"))

    told = [(event["status"], event["step"]) for event in events(client, reader, held.run_id)]
    assert told == [
        ("queued", 0), ("preparation", 0), ("preparation", 1), ("preparation", 3), ("testing", 4),
        ("testing", 5),
    ]  # fmt: skip
    assert events(client, reader, held.run_id)[-1]["message"] == "Nearly there"


def test_a_heartbeat_after_a_cancel_says_canceled(app, client, held, reader, raw) -> None:
    admin = factories.signed_in("admin", "runs:write")
    answer = client.post(
        f"{API}/runs/{held.run_id}/cancel", json={"reason": "a newer commit"}, headers=admin
    )

    assert answer.json["status"] == "accepted"
    for _ in range(2):
        beat = held.heartbeat(stage="test")
        assert (beat.status_code, beat.json["canceled"]) == (200, True)
    assert shown(client, reader, held.run_id)["status"] == "canceled"
    assert raw.execute("SELECT end_reason FROM run_attempt") == [("canceled",)]
    assert "a newer commit" in events(client, reader, held.run_id)[-1]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"stage": "compile"}, "stage"),
        ({"stage": None}, "stage"),
        ({"running": [0]}, "running.0"),
        ({"running": [2**31]}, "running.0"),
        ({"running": [1, 1]}, "running"),
        ({"running": "1"}, "running"),
        ({"message": "m" * 1001}, "message"),
        ({"cls": 1}, "cls"),
    ],
)
def test_a_wrong_heartbeat_is_refused_by_name(sqlite_app, client, held, body, field) -> None:
    response = held.heartbeat(**body)

    assert response.status_code == 400
    assert field in response.json["details"]["fields"]


def test_an_attempt_past_its_deadline_ends_its_run_as_infrastructure(
    app, client, held, reader, raw, test_
) -> None:
    raw.execute("UPDATE run_attempt SET deadline_at = ?", [LONG_AGO])

    response = held.report(test_.id, {test_.output.id: test_.output.correct})

    assert (response.status_code, response.json["code"]) == (409, "run_ended")
    assert raw.execute("SELECT end_reason FROM run_attempt") == [("deadline_exceeded",)]
    told = shown(client, reader, held.run_id)
    assert (told["status"], told["run_errors"]) == ("canceled", "yes")
    counts = summary(client, reader, held.run_id)
    assert (counts["infrastructure_error_count"], counts["error_count"]) == (1, 0)
    assert events(client, reader, held.run_id)[-1]["status"] == "error"
    assert held.heartbeat().json["canceled"] is True


def test_a_heartbeat_past_the_deadline_says_canceled(app, held, raw) -> None:
    raw.execute("UPDATE run_attempt SET deadline_at = ?", [LONG_AGO])

    for _ in range(2):
        beat = held.heartbeat()
        assert (beat.status_code, beat.json["canceled"]) == (200, True)
    assert raw.execute("SELECT end_reason FROM run_attempt") == [("deadline_exceeded",)]
