"""What an attempt may report, when, and what becomes of it."""

import hashlib
import io
import json
from datetime import UTC, datetime

import pytest

from tests import factories
from tests.runners import API, LONG_AGO, Runner, lose_lease, runner
from tests.sql import counted

OTHER = b"1\n00:00:01,000 --> 00:00:02,000\nAnother text\n\n"


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "runs:write", "system:read")


@pytest.fixture
def ours(client) -> Runner:
    return runner(client)


@pytest.fixture
def test_(site) -> factories.TestRow:
    return factories.regression_test()


@pytest.fixture
def held(ours, test_):
    factories.run(tests=[test_])
    return ours.claim()


def shown(client, reader, run_id: int) -> dict:
    return client.get(f"{API}/runs/{run_id}", headers=reader).json


def summary(client, reader, run_id: int) -> dict:
    return client.get(f"{API}/runs/{run_id}/summary", headers=reader).json


def events(client, reader, run_id: int) -> list[dict]:
    return client.get(f"{API}/runs/{run_id}/progress", headers=reader).json["data"]


def stored(raw, run_id: int) -> list[tuple]:
    return raw.execute(
        "SELECT regression_test_id, regression_test_output_id, expected, got "
        "FROM test_result_file WHERE test_id = ? ORDER BY 1, 2",
        [run_id],
    )


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


def test_an_append_renews_a_lease_that_is_partly_used_up(make_app, site, raw, test_) -> None:
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


# Results


def test_results_decide_how_the_run_reads(app, client, ours, reader) -> None:
    variant = factories.digest("variant")
    passes = factories.regression_test()
    by_variant = factories.regression_test(outputs=[factories.Expected(variants=[variant])])
    differs = factories.regression_test()
    wrong_exit = factories.regression_test(expected_rc=3)
    missing = factories.regression_test()
    killed = factories.regression_test()
    tests = [passes, by_variant, differs, wrong_exit, missing, killed]
    run = factories.run(tests=tests)
    held = ours.claim()

    held.report(passes.id, {passes.output.id: passes.output.correct})
    held.report(differs.id, {differs.output.id: OTHER})
    held.report(wrong_exit.id, {wrong_exit.output.id: wrong_exit.output.correct})
    held.report(missing.id)
    held.report(
        killed.id, {killed.output.id: killed.output.correct}, exit_code=None, outcome="time_limit"
    )
    counts = summary(client, reader, run.id)
    assert (counts["total_samples"], counts["skipped_count"]) == (6, 1)
    assert shown(client, reader, run.id)["status"] == "running"
    assert held.finish().status_code == 200

    counts = summary(client, reader, run.id)
    assert (counts["pass_count"], counts["fail_count"], counts["missing_output_count"]) == (1, 3, 1)
    assert counts["total_samples"] == 6
    assert counts["error_count"] == 4
    assert counts["infrastructure_error_count"] == 0
    assert shown(client, reader, run.id)["status"] == "fail"


def test_a_result_with_its_files_is_stored_where_every_program_looks(
    app, client, held, test_, raw, sample_repository
) -> None:
    digest = hashlib.sha256(OTHER).hexdigest()

    assert held.report(test_.id, {test_.output.id: OTHER}, exit_code=7).status_code == 200

    assert stored(raw, held.run_id) == [(test_.id, test_.output.id, test_.output.correct, digest)]
    assert raw.execute("SELECT runtime, exit_code, expected_rc FROM test_result") == [(5, 7, 0)]
    assert (sample_repository / "TestResults" / f"{digest}.srt").read_bytes() == OTHER


def test_the_same_result_twice_counts_once_and_another_replaces_it_with_its_files(
    app, client, held, test_, raw, reader
) -> None:
    for _ in range(2):
        assert held.report(test_.id, {test_.output.id: OTHER}).status_code == 200
    assert len(stored(raw, held.run_id)) == 1

    assert held.report(test_.id, exit_code=1).status_code == 200
    assert stored(raw, held.run_id) == []
    assert summary(client, reader, held.run_id)["missing_output_count"] == 1

    held.report(test_.id, {test_.output.id: test_.output.correct.upper()})
    assert stored(raw, held.run_id) == [(test_.id, test_.output.id, test_.output.correct, None)]
    assert summary(client, reader, held.run_id)["pass_count"] == 1


def test_a_differing_output_must_come_with_its_bytes(app, client, held, test_, raw) -> None:
    response = held.report(test_.id, {test_.output.id: OTHER}, files=False)

    assert (response.status_code, response.json["code"]) == (422, "upload_required")
    assert response.json["details"]["output_ids"] == [test_.output.id]
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert held.report(test_.id, {test_.output.id: OTHER}).status_code == 200


def test_bytes_that_are_there_already_need_not_come_again(app, client, held, test_) -> None:
    held.report(test_.id, {test_.output.id: OTHER})

    assert held.report(test_.id, {test_.output.id: OTHER}, files=False).status_code == 200


def test_bytes_that_are_not_what_was_claimed_are_refused(
    app, client, held, test_, raw, sample_repository
) -> None:
    result = {
        "runtime_ms": 1,
        "exit_code": 0,
        "outcome": "exited",
        "outputs": [{"output_id": test_.output.id, "sha256": factories.digest("something else")}],
    }
    response = client.put(
        f"{held.url}/results/{test_.id}",
        data={
            "result": (io.BytesIO(json.dumps(result).encode()), "result", "application/json"),
            f"output-{test_.output.id}": (io.BytesIO(OTHER), "output"),
        },
        content_type="multipart/form-data",
        headers=held.headers,
    )

    assert response.status_code == 400
    assert f"output-{test_.output.id}" in response.json["details"]["fields"]
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    results = sample_repository / "TestResults"
    assert not results.exists() or list(results.iterdir()) == []


def test_a_result_of_a_test_that_is_not_the_runs_is_404(app, client, held) -> None:
    stranger = factories.regression_test()

    assert held.report(stranger.id).status_code == 404
    assert held.report(2147483647).status_code == 404


def test_an_output_of_another_test_is_refused(app, client, held, test_) -> None:
    stranger = factories.regression_test()

    response = held.report(test_.id, {stranger.output.id: stranger.output.correct})

    assert response.status_code == 400


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"runtime_ms": -1}, "runtime_ms"),
        ({"runtime_ms": 2**31}, "runtime_ms"),
        ({"runtime_ms": None}, "runtime_ms"),
        ({"exit_code": 2**31}, "exit_code"),
        ({"exit_code": None}, "exit_code"),
        ({"exit_code": 0, "outcome": "signal"}, "exit_code"),
        ({"outcome": "died"}, "outcome"),
        ({"signal": "s" * 21}, "signal"),
        ({"message": "m" * 1001}, "message"),
        ({"tail": "t" * 4097}, "tail"),
        ({"started_at": "yesterday"}, "started_at"),
        ({"outputs": None}, "outputs"),
        ({"outputs": [1]}, "outputs.0"),
        ({"outputs": [{"output_id": 1, "sha256": "x"}]}, "outputs.0.sha256"),
        ({"outputs": [{"output_id": 0, "sha256": "a" * 64}]}, "outputs.0.output_id"),
        ({"outputs": [{"output_id": 1, "sha256": "a" * 64}] * 2}, "outputs"),
        ({"outputs": [{"output_id": 1, "sha256": "a" * 64}] * 101}, "outputs"),
        ({"self": 1}, "self"),
        ({"message": "\0"}, "body"),
    ],
)
def test_a_wrong_result_is_refused_by_name(sqlite_app, client, held, test_, told, field) -> None:
    response = held.report(test_.id, **told)

    assert response.status_code == 400, response.json
    assert field in response.json["details"]["fields"]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"result": "{"},
        {"result": "[]"},
        {"result": "[" * 100_000},
        {"outcome": "exited"},
    ],
)
def test_a_result_part_that_is_no_object_is_refused(sqlite_app, client, held, test_, parts) -> None:
    response = client.put(
        f"{held.url}/results/{test_.id}",
        data=parts,
        content_type="multipart/form-data",
        headers=held.headers,
    )

    assert response.status_code == 400
    assert (
        "result" in response.json["details"]["fields"]
        or "body" in response.json["details"]["fields"]
    )


@pytest.mark.parametrize(
    "name", ["output-", "output-x", "output-" + "9" * 5000, "output-1_0", "other", "cls", "é"]
)
@pytest.mark.parametrize("as_file", [True, False])
def test_a_part_that_is_none_of_a_result_is_refused(
    sqlite_app, client, held, test_, name, as_file
) -> None:
    result = {"runtime_ms": 1, "exit_code": 0, "outcome": "exited", "outputs": []}
    response = client.put(
        f"{held.url}/results/{test_.id}",
        data={"result": json.dumps(result), name: (io.BytesIO(b"x"), "f") if as_file else "x"},
        content_type="multipart/form-data",
        headers=held.headers,
    )

    assert response.status_code == 400
    assert response.json["details"]["fields"]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_what_is_no_multipart_result_is_refused(sqlite_app, client, held, test_, kind) -> None:
    response = client.put(
        f"{held.url}/results/{test_.id}", data=b"{}", content_type=kind, headers=held.headers
    )

    assert response.status_code == (400 if kind.startswith("multipart") else 415)


def test_an_upload_over_the_limit_is_413(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(max_upload=10_000).test_client()).claim()

    assert held.report(test_.id, {test_.output.id: b"x" * 20_000}).status_code == 413
    assert held.report(test_.id, {test_.output.id: b"x" * 5_000}).status_code == 200


def test_a_storage_that_cannot_be_written_stores_no_result_and_is_5xx(
    app, client, held, test_, raw, sample_repository
) -> None:
    (sample_repository / "TestResults").symlink_to("/nonexistent/folder")
    try:
        response = held.report(test_.id, {test_.output.id: OTHER})
    finally:
        (sample_repository / "TestResults").unlink()

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert held.report(test_.id, {test_.output.id: OTHER}).status_code == 200


def test_a_baseline_that_was_approved_meanwhile_is_what_a_result_is_held_against(
    app, client, held, test_, raw, reader
) -> None:
    digest = hashlib.sha256(OTHER).hexdigest()
    raw.execute(
        "UPDATE regression_test_output SET correct = ? WHERE id = ?", [digest, test_.output.id]
    )

    assert held.report(test_.id, {test_.output.id: OTHER}).status_code == 200

    assert stored(raw, held.run_id) == [(test_.id, test_.output.id, digest, None)]


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


# The log


def test_an_append_twice_is_harmless_and_a_gap_is_416_with_the_true_offset(
    app, client, held, sample_repository
) -> None:
    first = held.append(0, b"one\n")
    again = held.append(0, b"one\n")
    gap = held.append(10, b"two\n")
    other = held.append(0, b"uno\n")

    assert (first.status_code, first.json["offset"]) == (200, 4)
    assert (again.status_code, again.json["offset"]) == (200, 4)
    for refused in (gap, other):
        assert (refused.status_code, refused.json["code"]) == (416, "offset_mismatch")
        assert refused.json["details"]["offset"] == 4
    assert held.append(4, b"two\n").json["offset"] == 8
    log = sample_repository / "LogFiles" / f"{held.run_id}.txt"
    assert log.read_bytes() == b"one\ntwo\n"


def test_the_log_is_taken_for_a_minute_after_the_end(app, client, held, raw) -> None:
    held.append(0, b"one\n")
    held.finish()

    late = held.append(4, b"two\n")
    assert (late.status_code, late.json["offset"]) == (200, 8)
    raw.execute("UPDATE test_progress SET timestamp = ? WHERE status = 'completed'", [LONG_AGO])
    too_late = held.append(8, b"three\n")
    assert (too_late.status_code, too_late.json["code"]) == (409, "run_ended")


def test_the_log_is_taken_after_a_cancel_which_the_answer_tells(app, client, held) -> None:
    admin = factories.signed_in("admin", "runs:write")
    client.post(f"{API}/runs/{held.run_id}/cancel", headers=admin)

    late = held.append(0, b"one\n")

    assert (late.status_code, late.json["canceled"]) == (200, True)


def test_the_next_attempt_goes_on_where_the_log_ends(
    app, client, ours, held, raw, sample_repository
) -> None:
    held.append(0, b"one\n")
    log = sample_repository / "LogFiles" / f"{held.run_id}.txt"
    with log.open("ab") as torn:
        torn.write(b"a line that a crash broke o")
    lose_lease(raw, held.run_id)

    again = ours.claim()

    assert again.claim["log_offset"] == log.stat().st_size
    assert again.append(again.claim["log_offset"], b"two\n").status_code == 200
    assert log.read_bytes().endswith(b"broke o\ntwo\n")


@pytest.mark.parametrize(
    ("headers", "data", "kind", "expected"),
    [
        ({}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "-1"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "x"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "1_0"}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "9" * 30}, b"x\n", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"x", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"", "application/octet-stream", 400),
        ({"Upload-Offset": "0"}, b"x\n", "text/plain", 415),
        ({"Upload-Offset": "0"}, b"x" * (1024 * 1024) + b"\n", "application/octet-stream", 413),
    ],
)
def test_a_wrong_append_is_refused(
    sqlite_app, client, held, headers, data, kind, expected, sample_repository
) -> None:
    response = client.patch(
        f"{held.url}/log", data=data, content_type=kind, headers={**held.headers, **headers}
    )

    assert response.status_code == expected, response.json
    assert not (sample_repository / "LogFiles" / f"{held.run_id}.txt").exists()


def test_an_append_of_exactly_the_largest_size_is_taken(sqlite_app, client, held) -> None:
    data = (b"x" * 1023 + b"\n") * 1024

    assert held.append(0, data).json["offset"] == len(data)


def test_a_full_log_says_so_and_takes_no_more(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(log_limit=100).test_client()).claim()

    full = held.append(0, b"line\n" * 50)
    more = held.append(full.json["offset"], b"more\n")

    assert (full.status_code, full.json["log_full"]) == (200, True)
    assert (more.status_code, more.json["log_full"]) == (200, True)
    assert more.json["offset"] == full.json["offset"]


def test_a_log_that_cannot_be_written_is_5xx(app, client, held, sample_repository) -> None:
    (sample_repository / "LogFiles").write_bytes(b"in the way")
    try:
        response = held.append(0, b"line\n")
    finally:
        (sample_repository / "LogFiles").unlink()

    assert response.status_code == 503
    assert held.append(0, b"line\n").status_code == 200


def test_a_claim_whose_log_cannot_be_read_gives_the_run_back(
    app, client, ours, reader, sample_repository
) -> None:
    run = factories.run()
    logs = sample_repository / "LogFiles"
    logs.mkdir()
    (logs / f"{run.id}.txt").symlink_to("/nonexistent")

    for _ in range(4):  # more often than attempts may be lost
        assert ours.ask().status_code == 503
        assert shown(client, reader, run.id)["status"] == "queued"

    (logs / f"{run.id}.txt").unlink()
    assert ours.claim().run_id == run.id


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
