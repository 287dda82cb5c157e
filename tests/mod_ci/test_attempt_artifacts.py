"""The binary, core dumps and combined output of a run, as an attempt sends them."""

import io

import pytest

from tests import factories
from tests.mod_ci.test_workers import Worker
from tests.runners import API, Held, accepted, lose_lease, runner

FILES = {
    "binary": ("ccextractor", "binary", b"\x7fELF binary"),
    "coredump": ("coredump", "binary", b"\x7fELF core"),
    "combined_stdout": ("combined_stdout.log", "build_log", b"all that was printed\n"),
}


def send(held: Held, kind: str, data: bytes, **options):
    options = {"content_type": "application/octet-stream", "headers": held.headers, **options}
    return held.client.put(f"{held.url}/artifacts/{kind}", data=data, **options)


def listed(client, reader, run_id: int, **query) -> dict[str, dict]:
    url = f"{API}/runs/{run_id}/artifacts"
    response = client.get(url, query_string=query, headers=reader)
    assert response.status_code == 200, response.json
    return {one["artifact_id"].removeprefix(f"{run_id}-"): one for one in response.json["data"]}


def test_files_are_stored_where_every_program_looks_and_listed(
    app, client, held, reader, sample_repository
) -> None:
    folder = sample_repository / "test_artifacts" / str(held.run_id)
    for kind, (name, _, data) in FILES.items():
        response = send(held, kind, data)
        assert response.status_code == 200, response.json
        assert response.json["canceled"] is False
        assert (folder / name).read_bytes() == data
    accepted(held.finish())

    found = listed(client, reader, held.run_id)
    for artifact, kind in (
        ("binary", "binary"), ("core-dump", "coredump"), ("combined-output", "combined_stdout")
    ):  # fmt: skip
        _, kind_of, data = FILES[kind]
        assert (found[artifact]["type"], found[artifact]["storage_status"]) == (kind_of, "ok")
        assert found[artifact]["size_bytes"] == len(data)
        assert client.get(found[artifact]["download_url"], headers=reader).data == data
    of_type = listed(client, reader, held.run_id, type="binary")
    assert set(of_type) == {"binary", "core-dump"}


def test_what_was_not_sent_is_not_listed_of_a_runner_s_run(app, client, held, reader) -> None:
    send(held, "binary", b"x")
    accepted(held.finish())

    found = listed(client, reader, held.run_id)
    assert "binary" in found
    assert not {"core-dump", "combined-output"} & set(found)


def test_pages_of_files_and_outputs_are_one_list(app, client, held, reader, test_) -> None:
    send(held, "coredump", b"x")
    send(held, "combined_stdout", b"x")
    accepted(held.report(test_.id, {test_.output.id: b"another"}))
    accepted(held.finish())
    url = f"{API}/runs/{held.run_id}/artifacts"

    whole = client.get(url, headers=reader).json
    pages = [
        client.get(url, query_string={"limit": 1, "offset": offset}, headers=reader).json
        for offset in range(whole["pagination"]["total"] + 1)
    ]

    assert len(whole["data"]) == whole["pagination"]["total"] == len(pages) - 1 > 4
    assert [one["artifact_id"] for page in pages for one in page["data"]] == [
        one["artifact_id"] for one in whole["data"]
    ]
    assert {page["pagination"]["total"] for page in pages} == {whole["pagination"]["total"]}


@pytest.mark.parametrize("status", ["completed", "canceled"])
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_core_dump_that_is_there_is_listed_whatever_the_end(
    app, client, reader, test_, status, exit_code
) -> None:
    run = factories.run(progress=["testing"])
    factories.result(run, test_, exit_code=exit_code)
    bot = Worker(client, run)
    bot.post("progress", status=status, message="x")
    assert bot.post("artifactupload", b"core", artifact_type="coredump") == "OK"

    found = listed(client, reader, run.id, type="binary")

    assert found["core-dump"]["storage_status"] == "ok"
    assert ("binary" in found) is (status == "completed")


def test_another_file_replaces_the_first(app, held, sample_repository) -> None:
    for data in (b"first", b"second"):
        assert send(held, "binary", data).status_code == 200

    path = sample_repository / "test_artifacts" / str(held.run_id) / "ccextractor"
    assert path.read_bytes() == b"second"


def test_an_attempt_that_has_lost_its_run_sends_nothing(
    app, held, ours, raw, sample_repository
) -> None:
    lose_lease(raw, held.run_id)
    ours.claim()
    response = send(held, "binary", b"stale")

    assert (response.status_code, response.json["code"]) == (409, "lease_lost")
    assert not (sample_repository / "test_artifacts").exists()


def test_only_the_attempt_s_credential_opens_it(app, held, ours) -> None:
    for headers in ({}, ours.headers, factories.bearer("spca_" + "x" * 43)):
        assert send(held, "binary", b"x", headers=headers).status_code == 401


def test_after_a_cancel_files_are_taken_as_the_log_is_and_after_the_end_none(
    app, client, held, raw, sample_repository
) -> None:
    admin = factories.signed_in("admin", "runs:write", "runs:read")
    assert client.post(f"{API}/runs/{held.run_id}/cancel", headers=admin).status_code == 202

    response = send(held, "coredump", b"core")

    assert (response.status_code, response.json["canceled"]) == (200, True)
    assert (sample_repository / "test_artifacts" / str(held.run_id) / "coredump").exists()
    raw.execute("UPDATE test_progress SET timestamp = '2020-01-01 00:00:00'")
    late = send(held, "binary", b"x")
    assert (late.status_code, late.json["code"]) == (409, "run_ended")


def test_an_attempt_that_has_finished_sends_no_more(app, held) -> None:
    accepted(held.finish())

    response = send(held, "binary", b"x")

    assert (response.status_code, response.json["code"]) == (409, "run_ended")


def test_what_is_no_artifact_is_refused(app, held, sample_repository) -> None:
    assert send(held, "secrets", b"x").status_code == 404
    assert send(held, "binary", b"").status_code == 400
    assert send(held, "binary", b"x", content_type="text/plain").status_code == 415
    assert not (sample_repository / "test_artifacts").exists()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_over_the_limit_is_413(make_app, held, sample_repository, chunked) -> None:
    client = make_app(max_upload=10_000).test_client()
    small = Held(client, held.claim)
    options = {}
    if chunked:
        options = {
            "input_stream": io.BytesIO(b"x" * 20_000),
            "environ_overrides": {"wsgi.input_terminated": True},
        }

    response = send(small, "binary", b"" if chunked else b"x" * 20_000, **options)

    assert response.status_code == 413
    assert not (sample_repository / "test_artifacts").exists()
    assert send(small, "binary", b"x" * 10_000).status_code == 200


def test_the_claim_says_the_limits(make_app, settings, client, test_) -> None:
    factories.run(tests=[test_])
    app = make_app(max_upload=10_000, test_time_limit=61, test_memory_limit=1024**3)
    claimed = runner(app.test_client()).claim().claim

    assert claimed["limits"] == {
        "test_time_ms": 61_000,
        "test_memory_bytes": 1024**3,
        "max_upload_bytes": 10_000,
    }
