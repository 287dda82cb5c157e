"""Who an attempt is, how long it holds its run, and how it ends."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from mod_ci import attempts
from tests import factories
from tests.mod_ci.attempts import OTHER, events, shown, summary
from tests.runners import API, LONG_AGO, Runner, runner
from tests.sql import counted

# The credential


def test_a_credential_opens_its_own_attempt_only(app, client, ours, test_) -> None:
    first = factories.run(tests=[test_])
    factories.run(tests=[test_])
    one, other = ours.claim(), ours.claim()
    assert one.run_id == first.id

    one.headers, other.headers = other.headers, one.headers

    for response in (one.heartbeat(), other.finish(), one.append(0, b"x\n"), one.report(test_.id)):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_credential_that_was_good_is_looked_at_with_every_write(app, held, test_, raw) -> None:
    """Processes remember it; another one may have changed or removed the attempt meanwhile."""
    assert held.heartbeat().status_code == 200
    raw.execute("UPDATE run_attempt SET credential_hash = ?", ["0" * 64])

    assert held.heartbeat().status_code == 401
    assert held.append(0, b"x\n").status_code == 401
    assert held.report(test_.id).status_code == 401
    assert held.finish().status_code == 401
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert raw.execute("SELECT ended_at FROM run_attempt") == [(None,)]


def test_a_credential_of_an_attempt_that_is_gone_opens_nothing(app, held, test_, raw) -> None:
    assert held.heartbeat().status_code == 200
    raw.execute("DELETE FROM run_attempt")

    assert held.heartbeat().status_code == 401
    assert held.append(0, b"x\n").status_code == 401
    assert held.report(test_.id).status_code == 401
    assert held.finish().status_code == 401


def test_a_run_that_gets_another_id_is_followed(app, held, test_, raw) -> None:
    """By raw SQL only; another run may have its old id by then."""
    assert held.heartbeat().status_code == 200
    raw.execute("UPDATE test SET id = id + 1000 WHERE id = ?", [held.run_id])
    other = factories.run(tests=[test_])
    raw.execute("UPDATE test SET id = ? WHERE id = ?", [held.run_id, other.id])

    assert held.report(test_.id).status_code == 503
    assert held.report(test_.id).status_code == 200
    assert raw.execute("SELECT test_id FROM test_result") == [(held.run_id + 1000,)]


def test_an_attempt_asks_for_its_credential_once(app, held, test_) -> None:
    held.heartbeat()
    with counted(app) as statements:
        assert held.report(test_.id).status_code == 200

    assert len([text for text in statements if "credential_hash" in text]) == 1


def test_a_credential_opens_nothing_else(sqlite_app, client, held) -> None:
    for path in ("/runs", f"/runs/{held.run_id}", "/auth/tokens", "/system/queue"):
        assert client.get(f"{API}{path}", headers=held.headers).status_code == 401
    assert Runner(client, held.headers).ask().status_code == 401


def test_a_token_opens_no_attempt(sqlite_app, client, ours, held) -> None:
    held.headers = ours.headers

    assert held.heartbeat().status_code == 401
    assert held.finish().status_code == 401


@pytest.mark.parametrize("text", ["", "Bearer", "Bearer ", "Basic x", "Bearer spca_x", "Bearer é"])
def test_no_credential_is_401(sqlite_app, client, held, text) -> None:
    held.headers = {"Authorization": text}

    assert held.heartbeat().status_code == 401


@pytest.mark.parametrize("text", ["0", "x", "99999999999", "2147483647", "%00"])
def test_an_attempt_that_cannot_be_is_401(sqlite_app, client, held, text) -> None:
    held.claim["attempt_id"] = text

    assert held.heartbeat().status_code == 401


def test_the_credential_is_kept_as_its_hash_only(app, client, held, raw) -> None:
    ((kept,),) = raw.execute("SELECT credential_hash FROM run_attempt")

    assert kept == hashlib.sha256(held.claim["credential"].encode()).hexdigest()


# Heartbeats


def test_every_call_renews_the_lease(app, client, held, raw, test_) -> None:
    near = "2999-01-01 00:00:00.000000"
    for call in (
        held.heartbeat,
        lambda: held.report(test_.id, {test_.output.id: test_.output.correct}),
    ):
        raw.execute("UPDATE run_record SET lease_expires_at = ?", [near])
        response = call()

        assert response.status_code == 200
        assert response.json["lease"]["seconds"] == 60
        expires = datetime.fromisoformat(response.json["lease"]["expires_at"])
        assert 30 < (expires - datetime.now(UTC)).total_seconds() <= 61


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
    held.report(test_.id, outputs)
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
    held.heartbeat(stage="finish", message="Nearly there")

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


# The end


def test_finishing_twice_with_the_same_reason_is_harmless(app, client, held, reader) -> None:
    assert held.finish().status_code == 200
    assert held.finish().status_code == 200
    other = held.finish("runner_shutdown")
    assert (other.status_code, other.json["code"]) == (409, "run_ended")

    told = [event["status"] for event in events(client, reader, held.run_id)]
    assert told.count("completed") == 1


def test_no_result_is_taken_after_the_end(app, client, held, test_, raw) -> None:
    held.finish()

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
    held.report(test_.id, {test_.output.id: test_.output.correct})
    held.finish()

    assert raw.execute(
        "SELECT last_passed_on_linux, last_passed_on_windows FROM regression_test"
    ) == [(held.run_id, None)]


# Samples


def test_a_sample_is_read_in_ranges_with_the_attempts_credential(
    app, client, ours, sample_repository
) -> None:
    content = bytes(range(256)) * 10
    test = factories.regression_test(sample=factories.stored_sample(sample_repository, content))
    factories.run(tests=[test])
    held = ours.claim()
    (told,) = held.claim["samples"]

    whole = client.get(told["url"], headers=held.headers)
    part = client.get(told["url"], headers={**held.headers, "Range": "bytes=100-199"})

    assert told["size_bytes"] == len(content)
    assert (whole.status_code, whole.data) == (200, content)
    assert (part.status_code, part.data) == (206, content[100:200])
    assert client.get(told["url"]).status_code == 401


def test_a_sample_in_no_storage_is_404(app, client, held, test_) -> None:
    (told,) = held.claim["samples"]

    assert client.get(told["url"], headers=held.headers).status_code == 404
    assert client.get(f"{held.url}/samples/2147483647", headers=held.headers).status_code == 404


def test_addresses_of_samples_name_no_forged_host(sqlite_app, client, test_) -> None:
    factories.run(tests=[test_])
    ours = runner(client)

    response = client.post(
        f"{API}/attempts",
        json={"platform": "linux", "runner_name": "a"},
        headers={**ours.headers, "Host": "evil.example"},
    )

    assert response.status_code == 201
    assert b"evil.example" not in response.data


def test_addresses_of_samples_are_absolute_below_the_public_url(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(public_url="https://ci.example.org").test_client()).claim()

    (told,) = held.claim["samples"]

    assert told["url"].startswith("https://ci.example.org/api/v1/attempts/")
