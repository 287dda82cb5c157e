"""The files of a run: which are listed, where they are, and that each address leads somewhere."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import MATCH, Expected, RunRow
from tests.mod_api.compared import BAD, GOOD, compared
from tests.raw import Raw
from tests.sql import counted

TYPES = ["build_log", "sample_output", "expected_output", "diff", "media_info", "binary"]


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "results:read", "system:read")


def listed(client: FlaskClient, run: RunRow, by: dict[str, str], query: str = "") -> Any:
    answer = client.get(f"/api/v1/runs/{run.id}/artifacts?{query}", headers=by)
    assert answer.status_code == 200, answer.json
    return answer.json


def put(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_build_log_is_fetched_only_with_the_scope_that_logs_need(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    run = factories.run(progress=["testing", "completed"])
    put(sample_repository, f"LogFiles/{run.id}.txt", b"the log\n")
    put(sample_repository, f"test_artifacts/{run.id}/ccextractor", b"\x7fELF")
    put(sample_repository, f"test_artifacts/{run.id}/combined_stdout.log", b"all output\n")
    results_only = factories.signed_in("user", "results:read")

    seen = {file["filename"]: file for file in listed(client, run, results_only)["data"]}
    whole = {file["filename"]: file for file in listed(client, run, reader)["data"]}

    assert list(seen) == list(whole)
    for name, file in seen.items():
        is_log = file["type"] == "build_log"
        assert (file["download_url"] is None) is is_log
        assert file == {**whole[name], "download_url": file["download_url"]}
        assert client.get(whole[name]["download_url"]).status_code == 200


def test_a_failed_run_lists_all_that_it_left_and_each_address_opens_it(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    bad = factories.stored_output(sample_repository, BAD)
    test = factories.regression_test(
        outputs=[Expected(correct=good, filename="a.srt"), Expected(correct=good)]
    )
    first, second = test.outputs
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test, exit_code=139, outputs={first: bad, second: MATCH})
    put(sample_repository, f"LogFiles/{run.id}.txt", b"the log\n")
    put(sample_repository, f"test_artifacts/{run.id}/ccextractor", b"\x7fELF")
    put(sample_repository, f"test_artifacts/{run.id}/combined_stdout.log", b"all output\n")
    put(sample_repository, f"test_artifacts/{run.id}/coredump", b"core")
    put(sample_repository, f"TestFiles/media/{test.sample.sha}.xml", b"<Mediainfo/>")

    found = listed(client, run, reader)

    kinds = [(file["type"], file["regression_id"], file["output_id"]) for file in found["data"]]
    assert kinds == [
        ("build_log", None, None),
        ("build_log", None, None),
        ("binary", None, None),
        ("binary", None, None),
        ("sample_output", test.id, first.id),
        ("expected_output", test.id, first.id),
        ("diff", test.id, first.id),
        ("expected_output", test.id, second.id),
        ("media_info", None, None),
    ]
    assert found["pagination"]["total"] == 9
    assert {file["storage_status"] for file in found["data"]} == {"ok"}
    contents = [client.get(file["download_url"]).data for file in found["data"]]
    difference = contents.pop(6)
    assert contents == [
        b"the log\n", b"all output\n", b"\x7fELF", b"core", BAD, GOOD, GOOD, b"<Mediainfo/>",
    ]  # fmt: skip
    assert difference.startswith(b"--- expected\n+++ actual\n")
    assert b"-Hello, world\n+Hello, wurld\n" in difference
    sizes = [file["size_bytes"] for file in found["data"]]
    assert sizes == [8, 11, 4, 4, len(BAD), len(GOOD), None, len(GOOD), 12]
    assert len({file["artifact_id"] for file in found["data"]}) == 9
    again = listed(client, run, reader)["data"]
    assert [file["artifact_id"] for file in again] == [
        file["artifact_id"] for file in found["data"]
    ]


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_can_be_asked_for(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str], kind: str
) -> None:
    case = compared(sample_repository)
    whole = listed(client, case.run, reader)["data"]

    found = listed(client, case.run, reader, f"type={kind}")

    wanted = [file["artifact_id"] for file in whole if file["type"] == kind]
    assert [file["artifact_id"] for file in found["data"]] == wanted
    assert found["pagination"]["total"] == len(wanted) >= 1


def test_pages_give_each_file_once(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    bad = factories.stored_output(sample_repository, BAD)
    tests = [factories.regression_test(outputs=[Expected(correct=good)]) for _ in range(5)]
    run = factories.run(progress=["testing", "completed"], tests=tests)
    for test in tests:
        factories.result(run, test, outputs={test.output: bad})
    whole = listed(client, run, reader)

    for limit in (1, 2, 4, 7):
        seen, offset = [], 0
        while offset is not None:
            page = listed(client, run, reader, f"limit={limit}&offset={offset}")
            assert page["pagination"]["total"] == whole["pagination"]["total"] == 23
            seen += [file["artifact_id"] for file in page["data"]]
            offset = page["pagination"]["next_offset"]
        assert seen == [file["artifact_id"] for file in whole["data"]]
    assert listed(client, run, reader, "offset=1000")["data"] == []


def test_what_is_in_no_storage_has_no_address(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)
    for stored in (sample_repository / "TestResults").iterdir():
        stored.unlink()

    found = listed(client, case.run, reader)["data"]

    assert {file["storage_status"] for file in found} == {"missing"}
    assert {file["download_url"] for file in found} == {None}
    assert {file["size_bytes"] for file in found} == {None}


def test_a_difference_lacks_what_one_of_its_files_lacks(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)
    url = listed(client, case.run, reader, "type=diff")["data"][0]["download_url"]
    (sample_repository / "TestResults" / f"{case.expected}.srt").unlink()

    (after,) = listed(client, case.run, reader, "type=diff")["data"]

    assert (after["storage_status"], after["download_url"]) == ("missing", None)
    assert client.get(url).status_code == 404


def test_runs_that_left_nothing_list_nothing(
    app: Flask, client: FlaskClient, reader: dict[str, str]
) -> None:
    queued = factories.run(tests=[factories.regression_test()])
    testing = factories.run(progress=["preparation", "testing"])
    canceled = factories.run(progress=["preparation", "canceled"])

    assert listed(client, queued, reader)["data"] == []
    assert listed(client, testing, reader)["data"] == []
    assert [file["type"] for file in listed(client, canceled, reader)["data"]] == ["build_log"]
    assert client.get("/api/v1/runs/99999/artifacts", headers=reader).status_code == 404


def test_a_core_dump_is_expected_only_where_something_crashed(
    app: Flask, client: FlaskClient, reader: dict[str, str]
) -> None:
    test = factories.regression_test(outputs=[])
    fine, crashed = (
        factories.run(progress=["testing", "completed"], tests=[test]) for _ in range(2)
    )
    factories.result(fine, test)
    factories.result(crashed, test, exit_code=-11)

    def names(run: RunRow) -> list[str]:
        files = listed(client, run, reader, "type=binary")["data"]
        return [file["artifact_id"] for file in files]

    assert names(fine) == [f"{fine.id}-binary"]
    assert names(crashed) == [f"{crashed.id}-binary", f"{crashed.id}-core-dump"]


def test_a_run_of_our_runner_leaves_its_log_alone(
    app: Flask, client: FlaskClient, reader: dict[str, str], raw: Raw
) -> None:
    run = factories.run(progress=["preparation", "testing"])
    raw.execute("UPDATE run_record SET attempts = 1 WHERE test_id = ?", [run.id])

    assert [file["artifact_id"] for file in listed(client, run, reader)["data"]] == [
        f"{run.id}-log"
    ]


def test_the_sentinel_is_no_file(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)
    factories.sentinel(case.run, case.test)

    found = listed(client, case.run, reader)["data"]

    assert {file["output_id"] for file in found} == {None, case.output.id}


@pytest.mark.parametrize("query", ["type=", "type=core_dump", "limit=0", "limit=101", "x=1"])
def test_wrong_queries_are_refused(
    sqlite_app: Flask, client: FlaskClient, reader: dict[str, str], query: str
) -> None:
    run = factories.run()

    answer = client.get(f"/api/v1/runs/{run.id}/artifacts?{query}", headers=reader)

    assert answer.status_code == 400


def test_a_long_list_costs_what_a_short_one_does(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    bad = factories.stored_output(sample_repository, BAD)

    def cost(number: int) -> int:
        tests = [factories.regression_test() for _ in range(number)]
        run = factories.run(progress=["testing", "completed"], tests=tests)
        for test in tests:
            factories.result(run, test, outputs={test.output: bad})
        listed(client, run, reader)
        with app.app_context():
            settle_marks()
        with counted(app) as statements:
            assert len(listed(client, run, reader, "limit=100")["data"]) >= number
        return len(statements)

    assert cost(3) == cost(30) <= 8
