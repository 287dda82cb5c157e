"""`/expected` and `/actual`: which file it is, and how its content comes."""

import base64
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import Expected
from tests.mod_api.compared import BAD, GOOD, another_run, compared
from tests.raw import Raw
from tests.runners import accepted, runner

MIB = 1024 * 1024


@pytest.fixture
def reader() -> dict[str, str]:
    return factories.signed_in("user", "results:read")


def test_what_differed_is_served_beside_what_was_expected(
    app: Flask, client: FlaskClient, sample_repository: Path
) -> None:
    reader = factories.signed_in("user", "results:read")
    case = compared(sample_repository, filename="news.srt")

    expected = client.get(case.url("expected"), headers=reader).json
    actual = client.get(case.url("actual"), headers=reader).json

    assert base64.b64decode(expected["content"]) == GOOD
    assert base64.b64decode(actual["content"]) == BAD
    assert (expected["sha256"], actual["sha256"]) == (case.expected, case.actual)
    assert expected["encoding"] == actual["encoding"] == "base64"
    assert expected["filename"] == actual["filename"] == "news.srt"
    assert actual["content_type"] == "application/x-subrip"
    assert actual["storage_status"] == "ok"
    assert actual["size_bytes"] == len(BAD)
    assert actual["truncated"] is False
    assert (actual["run_id"], actual["sample_id"]) == (case.run.id, case.test.sample.id)


def test_a_match_has_no_actual_and_serves_the_baseline_that_it_matched(
    app: Flask, client: FlaskClient, sample_repository: Path, raw: Raw
) -> None:
    reader = factories.signed_in("user", "results:read")
    case = compared(sample_repository, actual=None)
    newer = factories.stored_output(sample_repository, BAD)
    raw.execute("UPDATE regression_test_output SET correct = ?", [newer])

    actual = client.get(case.url("actual"), headers=reader)
    expected = client.get(case.url("expected", format="text"), headers=reader).json

    assert actual.status_code == 204
    assert actual.data == b""
    assert expected["content"].encode() == GOOD
    assert expected["sha256"] == case.expected


def test_what_differed_is_held_against_the_baseline_of_today(
    app: Flask, client: FlaskClient, sample_repository: Path, raw: Raw
) -> None:
    reader = factories.signed_in("user", "results:read")
    case = compared(sample_repository)
    newer = factories.stored_output(sample_repository, b"newer\n")
    raw.execute("UPDATE regression_test_output SET correct = ?", [newer])

    expected = client.get(case.url("expected", format="text"), headers=reader).json

    assert expected["content"] == "newer\n"
    assert expected["expected_hash_at_run"] == case.expected


@pytest.mark.parametrize(
    ("progress", "status", "told"),
    [
        (["testing"], "not_started", "has not run yet in this run."),
        (["testing", "completed"], "skipped", "was not run in this run."),
    ],
)
def test_an_output_of_a_test_that_did_not_run_is_not_missing(
    app: Flask, client: FlaskClient, sample_repository: Path, progress, status, told
) -> None:
    headers = factories.signed_in("user", "results:read")
    correct = factories.stored_output(sample_repository, GOOD)
    test = factories.regression_test(outputs=[Expected(correct=correct)])
    run = factories.run(progress=progress, tests=[test])
    base = f"/api/v1/runs/{run.id}/samples/{test.sample.id}"
    query = f"regression_id={test.id}&output_id={test.output.id}"

    actual = client.get(f"{base}/actual?{query}", headers=headers)
    diff = client.get(f"{base}/diff?{query}", headers=headers)
    expected = client.get(f"{base}/expected?{query}", headers=headers)

    assert (actual.status_code, actual.json["code"]) == (404, status)
    assert actual.json["message"] == f"Regression test {test.id} {told}"
    assert (diff.json["status"], diff.json["result_status"]) == ("missing_actual", status)
    assert base64.b64decode(expected.json["content"]) == GOOD


def test_the_output_of_a_test_at_which_the_runner_is_is_not_missing(
    app: Flask, client: FlaskClient
) -> None:
    headers = factories.signed_in("user", "results:read")
    test = factories.regression_test()
    factories.run(tests=[test])
    held = runner(client).claim()
    accepted(held.heartbeat(stage="test", running=[test.id]))
    path = f"/api/v1/runs/{held.run_id}/samples/{test.sample.id}/actual"

    answer = client.get(
        f"{path}?regression_id={test.id}&output_id={test.output.id}", headers=headers
    )

    assert (answer.status_code, answer.json["code"]) == (404, "running")


def test_an_output_that_did_not_come_out_is_missing(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    correct = factories.stored_output(sample_repository, GOOD)
    test = factories.regression_test(outputs=[Expected(correct=correct)])
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test, outputs={})
    factories.sentinel(run, test)
    base = f"/api/v1/runs/{run.id}/samples/{test.sample.id}"
    query = f"regression_id={test.id}&output_id={test.output.id}"

    actual = client.get(f"{base}/actual?{query}", headers=reader)
    expected = client.get(f"{base}/expected?{query}&format=text", headers=reader)

    assert actual.status_code == 404
    assert actual.json["code"] == "missing_output"
    assert expected.json["content"].encode() == GOOD


@pytest.mark.parametrize("part", ["expected", "actual"])
def test_a_file_in_no_storage_is_said_to_be_missing(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    part: str,
) -> None:
    case = compared(sample_repository)
    lost = case.expected if part == "expected" else case.actual
    (sample_repository / "TestResults" / f"{lost}.srt").unlink()

    answer = client.get(case.url(part), headers=reader)

    assert answer.status_code == 404
    assert answer.json["code"] == f"missing_{part}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Grüße, 世界 🎬\r\n".encode(), "Grüße, 世界 🎬\r\n"),
        (b"", ""),
        (b"a\x00b", "a\x00b"),
        ("é".encode("latin-1"), None),
        (b"\xff\xfe\x00", None),
        (b"cut in its middle: \xe4\xb8", None),
    ],
)
def test_text_is_text_where_the_bytes_are_and_base64_where_they_are_not(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    content: bytes,
    text: str | None,
) -> None:
    case = compared(sample_repository, actual=content)

    answer = client.get(case.url("actual", format="text"), headers=reader).json

    assert answer["encoding"] == ("base64" if text is None else "utf-8")
    assert answer["content"] == (base64.b64encode(content).decode() if text is None else text)
    assert answer["truncated"] is False


def test_a_large_file_comes_in_its_first_part_and_whole_from_its_address(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    content = bytes(range(256)) * (5 * MIB // 256)
    case = compared(sample_repository, actual=content)

    answer = client.get(case.url("actual"), headers=reader).json
    whole = client.get(answer["download_url"])

    assert base64.b64decode(answer["content"]) == content[:786_432]
    assert len(answer["content"]) == 1_048_576
    assert answer["truncated"] is True
    assert answer["size_bytes"] == len(content)
    assert whole.data == content


@pytest.mark.parametrize("character", ["a", "é", "世", "🎬"])
def test_large_text_is_cut_between_characters(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    character: str,
) -> None:
    text = "x" + character * (MIB + 1000)
    case = compared(sample_repository, actual=text.encode())

    answer = client.get(case.url("actual", format="text"), headers=reader).json

    assert answer["encoding"] == "utf-8"
    assert answer["content"] == text[:MIB]
    assert answer["truncated"] is True
    assert answer["size_bytes"] == len(text.encode())


def test_text_of_just_the_largest_size_is_whole(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, actual="🎬".encode() * MIB)

    answer = client.get(case.url("actual", format="text"), headers=reader).json

    assert answer["content"] == "🎬" * MIB
    assert answer["truncated"] is False


HOSTILE = [
    ("../../../../etc/passwd", ".srt"),
    ("/etc/passwd", ""),
    ("0" * 64, "/../../x"),
    ("0" * 64, ".srt/../../../x"),
    ("0" * 63 + "\n", ".srt"),
    ("x" * 300, ".srt"),
    ("", ".srt"),
    ("0" * 64, "srt"),
    ("\u0660" * 64, ".srt"),  # digits, of another script
]


@pytest.mark.parametrize(("correct", "extension"), HOSTILE)
def test_hostile_names_in_the_database_reach_no_file(
    app: Flask, client: FlaskClient, sample_repository: Path, correct: str, extension: str
) -> None:
    reader = factories.signed_in("user", "results:read")
    (sample_repository.parent / "x").write_text("secret")
    test = factories.regression_test(
        outputs=[Expected(correct=correct or None, extension=extension, filename="../../out")]
    )
    case = another_run(test, "../../../x")

    for part in ("expected", "actual"):
        answer = client.get(case.url(part), headers=reader)
        assert answer.status_code == 404
        assert answer.json["code"] == f"missing_{part}"
    difference = client.get(case.url("diff"), headers=reader)
    assert difference.json["status"] in ("missing_expected", "missing_actual")
    files = client.get(f"/api/v1/runs/{case.run.id}/artifacts", headers=reader).json["data"]
    outputs = [file for file in files if file["output_id"]]
    assert outputs
    assert {file["storage_status"] for file in outputs} == {"missing"}
    assert {file["download_url"] for file in outputs} == {None}
    assert all("/" not in file["filename"] for file in outputs)


def test_a_link_in_the_repository_is_not_followed(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    tmp_path: Path,
) -> None:
    case = compared(sample_repository)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    stored = sample_repository / "TestResults" / f"{case.actual}.srt"
    stored.unlink()
    stored.symlink_to(secret)

    assert client.get(case.url("actual"), headers=reader).status_code == 404


def test_ids_must_belong_together(app: Flask, client: FlaskClient, sample_repository: Path) -> None:
    reader = factories.signed_in("user", "results:read")
    case = compared(sample_repository)
    other = compared(sample_repository)
    foreign = [
        f"{case.base}/actual?regression_id={case.test.id}&output_id={other.output.id}",
        f"{case.base}/actual?regression_id={other.test.id}&output_id={other.output.id}",
        f"{other.base}/actual?regression_id={case.test.id}&output_id={case.output.id}",
        case.url("actual").replace(f"/runs/{case.run.id}/", f"/runs/{other.run.id}/"),
        case.url("actual").replace(f"/samples/{case.test.sample.id}/", "/samples/77777/"),
        case.url("actual").replace(f"/runs/{case.run.id}/", "/runs/99999/"),
        f"{case.base}/actual?regression_id=88888&output_id={case.output.id}",
    ]

    for url in foreign:
        for part in ("actual", "expected", "diff"):
            answer = client.get(url.replace("/actual?", f"/{part}?"), headers=reader)
            assert (url, answer.status_code) == (url, 404)


@pytest.mark.parametrize(
    "query",
    [
        "", "regression_id=1", "output_id=1", "regression_id=0&output_id=1",
        "regression_id=1&output_id=-1", "regression_id=1&output_id=1&format=html",
        "regression_id=1&output_id=1&more=1", "regression_id=²&output_id=1",
    ],
)  # fmt: skip
def test_wrong_queries_are_refused(
    sqlite_app: Flask, client: FlaskClient, reader: dict[str, str], query: str
) -> None:
    answer = client.get(f"/api/v1/runs/1/samples/1/expected?{query}", headers=reader)

    assert answer.status_code == 400
