"""The results that an attempt may report, and what becomes of them."""

import hashlib
import io
import json

import pytest

from tests import factories
from tests.mod_ci.attempts import OTHER, shown, stored, summary
from tests.runners import accepted, runner

RESULT = {"runtime_ms": 1, "exit_code": 0, "outcome": "exited", "outputs": []}


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

    accepted(held.report(passes.id, {passes.output.id: passes.output.correct}))
    accepted(held.report(differs.id, {differs.output.id: OTHER}))
    accepted(held.report(wrong_exit.id, {wrong_exit.output.id: wrong_exit.output.correct}))
    accepted(held.report(missing.id))
    accepted(
        held.report(
            killed.id,
            {killed.output.id: killed.output.correct},
            exit_code=None,
            outcome="time_limit",
        )
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

    accepted(held.report(test_.id, {test_.output.id: test_.output.correct.upper()}))
    assert stored(raw, held.run_id) == [(test_.id, test_.output.id, test_.output.correct, None)]
    assert summary(client, reader, held.run_id)["pass_count"] == 1


def test_the_two_streams_of_a_test_are_shown_apart(app, client, held, test_, reader) -> None:
    told = {"tail": "one\ntwo", "stdout_tail": "one", "stderr_tail": "two"}
    assert held.report(test_.id, **told).status_code == 200
    url = f"/api/v1/runs/{held.run_id}/samples/{test_.id}"

    found = client.get(url, headers=reader).json
    assert {name: found[name] for name in told} == told

    assert held.report(test_.id, tail="only together").status_code == 200
    found = client.get(url, headers=reader).json
    assert (found["stdout_tail"], found["stderr_tail"]) == (None, None)
    assert found["tail"] == "only together"


@pytest.mark.parametrize(
    ("told", "kept"), [(3221225477, -1073741819), (4294967295, -1), (2147483647, 2147483647)]
)
def test_an_exit_code_of_windows_is_kept_with_its_sign(
    app, client, held, test_, raw, reader, told, kept
) -> None:
    assert held.report(test_.id, exit_code=told).status_code == 200

    assert raw.execute("SELECT exit_code FROM test_result") == [(kept,)]
    errors = client.get(f"/api/v1/runs/{held.run_id}/errors", headers=reader).json["data"]
    crashed = kept == -1073741819
    assert errors[0]["type"] == ("test_failure" if crashed else "exit_code_mismatch")


@pytest.mark.parametrize("told", [4294967296, -2147483649])
def test_what_is_no_exit_code_is_refused(app, held, test_, told) -> None:
    response = held.report(test_.id, exit_code=told)

    assert (response.status_code, list(response.json["details"]["fields"])) == (400, ["exit_code"])


def test_a_differing_output_must_come_with_its_bytes(app, client, held, test_, raw) -> None:
    response = held.report(test_.id, {test_.output.id: OTHER}, files=False)

    assert (response.status_code, response.json["code"]) == (422, "upload_required")
    assert response.json["details"]["output_ids"] == [test_.output.id]
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]
    assert held.report(test_.id, {test_.output.id: OTHER}).status_code == 200


def test_bytes_that_are_there_already_need_not_come_again(app, client, held, test_) -> None:
    accepted(held.report(test_.id, {test_.output.id: OTHER}))

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
        ({"exit_code": 2**32}, "exit_code"),
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
    response = client.put(
        f"{held.url}/results/{test_.id}",
        data={"result": json.dumps(RESULT), name: (io.BytesIO(b"x"), "f") if as_file else "x"},
        content_type="multipart/form-data",
        headers=held.headers,
    )

    assert response.status_code == 400
    assert response.json["details"]["fields"]


@pytest.mark.parametrize("disposition", ["form-data", 'form-data; filename="f"'])
def test_a_part_without_a_name_is_refused(sqlite_app, client, held, test_, disposition) -> None:
    parts = (("form-data; name=result", json.dumps(RESULT)), (disposition, "x"))
    body = "".join(f"--x\r\nContent-Disposition: {head}\r\n\r\n{text}\r\n" for head, text in parts)

    response = client.put(
        f"{held.url}/results/{test_.id}",
        data=f"{body}--x--\r\n",
        content_type="multipart/form-data; boundary=x",
        headers=held.headers,
    )

    assert response.status_code == 400
    assert response.json["details"]["fields"] == {"body": "Each part must have a name."}


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b"{}", 415),
        ("multipart/form-data", b"{}", 400),
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"{}", 400),
        (
            "application/json",
            b'{"runtime_ms": 1, "runtime_ms": 1, "exit_code": 0, "outcome": "exited", '
            b'"outputs": []}',
            400,
        ),
    ],
)
def test_what_is_no_result_is_refused(
    sqlite_app, client, held, test_, raw, kind, body, status
) -> None:
    response = client.put(
        f"{held.url}/results/{test_.id}", data=body, content_type=kind, headers=held.headers
    )

    assert response.status_code == status
    assert raw.execute("SELECT count(*) FROM test_result") == [(0,)]


def test_a_result_without_files_is_the_same_as_json_and_as_a_part(
    app, client, held, test_, raw
) -> None:
    result = {
        "runtime_ms": 7,
        "exit_code": 0,
        "outcome": "exited",
        "outputs": [{"output_id": test_.output.id, "sha256": test_.output.correct}],
    }
    stored = []
    for sent in (
        {"json": result},
        {"data": {"result": json.dumps(result)}, "content_type": "multipart/form-data"},
    ):
        response = client.put(f"{held.url}/results/{test_.id}", headers=held.headers, **sent)
        assert response.status_code == 200
        stored.append(
            raw.execute("SELECT * FROM test_result") + raw.execute("SELECT * FROM test_result_file")
        )

    assert stored[0] == stored[1]
    assert len(stored[0]) == 2


def test_an_upload_over_the_limit_is_413(make_app, site, test_) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(max_upload=10_000).test_client()).claim()

    assert held.report(test_.id, {test_.output.id: b"x" * 20_000}).status_code == 413
    assert held.report(test_.id, {test_.output.id: b"x" * 5_000}).status_code == 200


@pytest.mark.parametrize("as_file", [True, False])
def test_a_result_part_over_the_limit_of_json_is_413(make_app, site, test_, as_file) -> None:
    factories.run(tests=[test_])
    held = runner(make_app(max_body=10_000).test_client()).claim()

    def ask(size: int) -> int:
        told = json.dumps(RESULT).ljust(size)
        part = (io.BytesIO(told.encode()), "result") if as_file else told
        return held.client.put(
            f"{held.url}/results/{test_.id}",
            data={"result": part},
            content_type="multipart/form-data",
            headers=held.headers,
        ).status_code

    assert [ask(size) for size in (10_000, 10_001, 20_000)] == [200, 413, 413]


def test_more_parts_than_a_result_can_have_are_413(sqlite_app, client, held, test_) -> None:
    parts = {f"output-{number}": "x" for number in range(101)}
    response = client.put(
        f"{held.url}/results/{test_.id}",
        data={"result": json.dumps(RESULT), **parts},
        content_type="multipart/form-data",
        headers=held.headers,
    )

    assert response.status_code == 413


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
