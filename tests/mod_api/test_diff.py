"""`/diff`: lines, captions, and every pair of files that a comparison could stumble over."""

import base64
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_api.services import diff
from mod_api.services.diff import Comparison
from mod_api.services.outputs import file_pair
from tests import factories
from tests.factories import Expected
from tests.mod_api.compared import BAD, GOOD, another_run, compared
from tests.raw import Raw
from tests.runners import runner
from tests.sql import counted

MIB = 1024 * 1024


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "results:read", "runs:read")


def test_a_difference_is_told_by_lines_and_by_captions(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)

    told = client.get(case.url("diff", context_lines=1), headers=reader).json

    assert told["status"] == "different"
    assert told["summary"] == {"added_lines": 1, "removed_lines": 1, "changed_hunks": 1}
    (hunk,) = told["hunks"]
    assert (hunk["expected_start"], hunk["actual_start"]) == (2, 2)
    assert [(line["kind"], line["text"]) for line in hunk["lines"]] == [
        ("context", "00:00:01,000 --> 00:00:02,000"),
        ("removed", "Hello, world"),
        ("added", "Hello, wurld"),
        ("context", ""),
    ]
    assert (told["expected_hash"], told["actual_hash"]) == (case.expected, case.actual)
    assert told["expected"]["storage_status"] == "ok"
    assert client.get(told["actual"]["download_url"]).data == BAD
    captions = told["captions"]
    assert (captions["kind"], captions["cues_expected"], captions["cues_actual"]) == ("text", 2, 2)
    assert captions["location"] == {"number": 1, "start_ms": 1000}
    assert captions["changed"][0]["words"] == [{"expected": "world", "actual": "wurld"}]
    assert "unified" not in told


def test_unified_is_the_same_answer_with_the_text(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)

    structured = client.get(case.url("diff"), headers=reader).json
    unified = client.get(case.url("diff", format="unified"), headers=reader).json

    assert unified.pop("unified").splitlines()[:3] == [
        "--- expected",
        "+++ actual",
        "@@ -1,6 +1,6 @@",
    ]
    assert unified.pop("unified_truncated") is False
    assert unified == structured


def test_small_files_are_compared_once(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = compared(sample_repository)
    lines: list[int] = []

    def compare(expected: Path, actual: Path, context_lines: int) -> Comparison:
        lines.append(context_lines)
        return diff.compare(expected, actual, context_lines)

    monkeypatch.setattr(file_pair, "compare", compare)
    told = [
        client.get(case.url("diff", context_lines=number), headers=reader).json
        for number in (7, 7, 2, 7)  # asked for by no other test
    ]

    assert lines == [7, 2]
    assert told[0]["hunks"] == told[1]["hunks"] == told[3]["hunks"] != told[2]["hunks"]


def test_without_context_only_the_changes_are_shown(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)

    told = client.get(case.url("diff", context_lines=0), headers=reader).json

    assert [line["kind"] for line in told["hunks"][0]["lines"]] == ["removed", "added"]


@pytest.mark.parametrize("lines", ["-1", "51", "three", "3.0", ""])
def test_other_numbers_of_context_lines_are_refused(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    lines: str,
) -> None:
    case = compared(sample_repository)

    assert client.get(case.url("diff", context_lines=lines), headers=reader).status_code == 400


def test_a_match_is_identical_also_where_the_baseline_moved_on(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str], raw: Raw
) -> None:
    case = compared(sample_repository, actual=None)
    raw.execute("UPDATE regression_test_output SET correct = ?", [factories.digest("newer")])

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "identical"
    assert told["summary"] == {"added_lines": 0, "removed_lines": 0, "changed_hunks": 0}
    assert told["hunks"] == []
    assert told["captions"]["kind"] == "identical"


def test_a_match_is_identical_also_without_its_file(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, actual=None)
    (sample_repository / "TestResults" / f"{case.expected}.srt").unlink()

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "identical"
    assert told["captions"] is None
    assert told["expected"]["download_url"] is None


def test_a_match_by_a_variant_is_different_and_accepted(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)
    factories.accept_variant(case.output.id, case.actual or "")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "different"
    assert told["accepted_variant"] is True
    assert client.get(f"/api/v1/runs/{case.run.id}/errors", headers=reader).json["data"] == []


def test_an_output_that_did_not_come_out_is_missing(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str], raw: Raw
) -> None:
    case = compared(sample_repository)
    raw.execute("DELETE FROM test_result_file")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "missing_actual"
    assert told["actual_hash"] is None
    assert told["expected_hash"] == case.expected


@pytest.mark.parametrize("side", ["expected", "actual"])
def test_a_lost_file_is_missing_and_the_other_can_be_fetched(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    side: str,
) -> None:
    case = compared(sample_repository)
    lost, other = (case.expected, "actual") if side == "expected" else (case.actual, "expected")
    (sample_repository / "TestResults" / f"{lost}.srt").unlink()

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == f"missing_{side}"
    assert told[side]["storage_status"] == "missing"
    assert told[side]["download_url"] is None
    assert client.get(told[other]["download_url"]).status_code == 200


def test_bytes_that_are_no_utf8_are_decoded_as_the_captions_are(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    cue = (
        "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n2\n00:00:03,000 --> 00:00:04,000\n¡Sí, señor!\n\n"
    )
    expected, actual = cue.format("¿quién canto?"), cue.format("¿quién pinto?")
    case = compared(
        sample_repository, expected.encode(), actual.encode("latin-1"), extension=".srt"
    )

    told = client.get(case.url("diff", format="unified"), headers=reader).json
    texts = [line["text"] for hunk in told["hunks"] for line in hunk["lines"]]
    (cues,) = told["captions"]["changed"]

    assert told["invalid_utf8"] is True
    assert told["encodings_differ"] is True
    assert (told["expected"]["encoding"], told["actual"]["encoding"]) == ("utf-8", "latin-1")
    assert {"¿quién canto?", "¿quién pinto?"} <= set(texts)
    assert cues["actual"]["text"] == "¿quién pinto?"
    assert "+¿quién pinto?" in told["unified"].splitlines()


def test_line_ends_and_a_missing_last_one_are_told(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, b"a\r\nb\r\n", b"a\nb", extension=".txt")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["line_endings_differ"] is True
    assert told["missing_final_newline"] == ["actual"]
    assert told["expected"]["line_endings"] == "crlf"
    assert told["actual"]["final_newline"] is False


def test_binary_files_are_said_to_be_binary(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, b"\x89PNG\x00\x01", b"\x89PNG\x00\x02", extension=".png")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "different"
    assert told["binary"] is True
    assert told["hunks"] == []
    assert "summary" not in told
    assert told["captions"] is None


def test_an_empty_output_is_a_difference(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, actual=b"")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "different"
    assert told["summary"]["added_lines"] == 0
    assert told["captions"]["kind"] == "missing_cues"


def test_counts_are_exact_where_hunks_are_cut(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    lines = [f"line {number}" for number in range(6000)]
    changed = [f"{line}!" if at % 10 == 0 else line for at, line in enumerate(lines)]
    changed[5] = "x" * 5000
    case = compared(
        sample_repository,
        "\n".join(lines).encode(),
        "\n".join(changed).encode(),
        extension=".txt",
    )

    told = client.get(case.url("diff", context_lines=0), headers=reader).json

    assert told["summary"] == {"added_lines": 601, "removed_lines": 601, "changed_hunks": 601}
    assert len(told["hunks"]) == 500
    assert told["truncated"] is True
    assert max(len(line["text"]) for hunk in told["hunks"] for line in hunk["lines"]) == 1000


def test_files_that_take_too_long_are_given_up_and_offered(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    numbers = [str(number * 7919 % 200_003) for number in range(900_000)]
    case = compared(
        sample_repository,
        "\n".join(numbers).encode(),
        "\n".join(reversed(numbers)).encode(),
        extension=".bin",
    )

    told = client.get(case.url("diff"), headers=reader).json

    assert told["status"] == "different"
    assert (told["gave_up"], told["gave_up_because"]) == (True, "time_limit")
    assert told["hunks"] == []
    assert "summary" not in told
    assert client.head(told["expected"]["download_url"]).status_code == 200
    assert client.head(told["actual"]["download_url"]).status_code == 200


def test_a_pair_is_classified_once(
    app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    raw: Raw,
) -> None:
    case = compared(sample_repository)
    again = another_run(case.test, case.actual)
    first = client.get(case.url("diff"), headers=reader).json
    assert raw.execute("SELECT kind, cue_number, start_ms FROM diff_classification") == [
        ("text", 1, 1000)
    ]
    raw.execute("UPDATE diff_classification SET details = REPLACE(details, 'Hello', 'Kept!')")

    second = client.get(again.url("diff"), headers=reader).json

    assert second["captions"]["changed"][0]["expected"]["text"].startswith("Kept!")
    assert first["captions"]["changed"][0]["expected"]["text"].startswith("Hello")


def test_what_older_rules_said_is_said_anew(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str], raw: Raw
) -> None:
    case = compared(sample_repository)
    client.get(case.url("diff"), headers=reader)
    raw.execute("UPDATE diff_classification SET rules_version = 0, kind = 'mixed', details = '{}'")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["captions"]["kind"] == "text"
    assert raw.execute("SELECT kind FROM diff_classification") == [("text",)]


def test_a_difference_costs_few_statements(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    outputs = [
        Expected(correct=factories.stored_output(sample_repository, GOOD), variants=["0" * 64] * 9)
        for _ in range(3)
    ]
    test = factories.regression_test(outputs=outputs)
    run = factories.run(progress=["testing", "completed"], tests=[test])
    bad = factories.stored_output(sample_repository, BAD)
    factories.result(run, test, outputs=dict.fromkeys(test.outputs, bad))
    base = f"/api/v1/runs/{run.id}/samples/{test.sample.id}"
    query = f"regression_id={test.id}&output_id={test.outputs[0].id}"
    client.get(f"{base}/diff?{query}", headers=reader)

    for part in ("diff", "expected", "actual"):
        with counted(app) as statements:
            assert client.get(f"{base}/{part}?{query}", headers=reader).status_code == 200
        assert len(statements) <= 8


def test_large_ordinary_files_are_compared(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    lines = [f"{number:08d} some text that is in both files\n" for number in range(100_000)]
    before = "".join(lines).encode()
    lines[50_000] = "another line\n"
    case = compared(sample_repository, before, "".join(lines).encode(), extension=".bin")

    told = client.get(case.url("diff"), headers=reader).json
    actual = client.get(case.url("actual"), headers=reader).json

    assert told["summary"] == {"added_lines": 1, "removed_lines": 1, "changed_hunks": 1}
    assert told["captions"] is None
    assert actual["truncated"] is True
    assert base64.b64decode(actual["content"]) == "".join(lines).encode()[:786_432]


def test_errors_tell_and_filter_what_was_classified(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    picture = factories.stored_output(sample_repository, b"\x89PNG\x00\x01", ".png")
    outputs = [Expected(correct=good) for _ in range(3)]
    test = factories.regression_test(
        outputs=[*outputs, Expected(correct=picture, extension=".png")]
    )
    run = factories.run(progress=["testing", "completed"], tests=[test])
    later, both = (content.replace(b"00:00:0", b"00:00:1") for content in (GOOD, BAD))
    hashes = [factories.stored_output(sample_repository, each) for each in (BAD, later, both)]
    hashes.append(factories.stored_output(sample_repository, b"\x89PNG\x00\x02", ".png"))
    factories.result(run, test, outputs=dict(zip(test.outputs, hashes, strict=True)))
    base = f"/api/v1/runs/{run.id}"

    def errors(query: str = "") -> Any:
        return client.get(f"{base}/errors?{query}", headers=reader).json

    assert [error["caption_change"] for error in errors()["data"]] == [None] * 4
    assert errors("caption_change=text")["pagination"]["total"] == 0

    for output in test.outputs:
        query = f"regression_id={test.id}&output_id={output.id}"
        client.get(f"{base}/samples/{test.sample.id}/diff?{query}", headers=reader)

    found = errors()["data"]
    assert [error["caption_change"] for error in found] == ["text", "timing_shift", "mixed", None]
    assert (found[1]["location"]["cue"], found[1]["location"]["start_ms"]) == (1, 1000)
    assert found[1]["message"].startswith(f"Output {test.outputs[1].id} (output.srt) differs")
    assert "10" in found[1]["message"].partition("baseline.")[2]
    shifted = errors("caption_change=timing_shift")
    assert [error["error_id"] for error in shifted["data"]] == [found[1]["error_id"]]
    assert shifted["pagination"]["total"] == 1
    summary = client.get(f"{base}/summary", headers=reader).json
    assert summary["error_count"] == len(found) == 4


def test_what_a_runner_reports_is_classified_at_once(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    test = factories.regression_test(outputs=[Expected(correct=good), Expected(correct=good)])
    first, second = test.outputs
    run = factories.run(tests=[test])
    held = runner(client).claim()

    reported = held.report(test.id, {first.id: BAD, second.id: GOOD})

    assert reported.status_code == 200
    found = client.get(f"/api/v1/runs/{run.id}/errors", headers=reader).json["data"]
    assert [error["caption_change"] for error in found] == ["text"]


def test_all_cues_are_listed_in_pages(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository)

    whole = client.get(case.url("diff", cues="all"), headers=reader).json
    second = client.get(
        case.url("diff", cues="all", cues_limit=1, cues_offset=1), headers=reader
    ).json
    without = client.get(case.url("diff"), headers=reader).json

    first, last = whole["cues"]["data"]
    assert (first["kind"], last["kind"]) == ("text", "identical")
    assert last["expected"] == last["actual"]
    assert last["actual"] == {"number": 2, "cues": 1, "start_ms": 3000, "end_ms": 4000}
    assert second["cues"]["data"] == [last]
    assert second["cues"]["pagination"]["total"] == 2
    assert second["cues"]["pagination"]["next_offset"] is None
    assert "cues" not in without
    assert second["captions"] == without["captions"]


@pytest.mark.parametrize(
    "query", ["cues=some", "cues_limit=0", "cues_limit=1001", "cues_offset=-1"]
)
def test_other_pages_of_cues_are_refused(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    query: str,
) -> None:
    case = compared(sample_repository)

    assert client.get(f"{case.url('diff')}&{query}", headers=reader).status_code == 400


def test_an_output_as_expected_has_all_cues_unchanged(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, actual=None)

    told = client.get(case.url("diff", cues="all"), headers=reader).json

    assert [pair["kind"] for pair in told["cues"]["data"]] == ["identical"] * 2


def test_a_file_that_is_no_caption_has_no_cues(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, b"\x89PNG\x00\x01", b"\x89PNG\x00\x02", extension=".png")

    told = client.get(case.url("diff", cues="all"), headers=reader).json

    assert told["cues"]["data"] == []


def test_files_of_captions_too_large_to_be_fetched_are_told_of(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file_pair, "MAX_BYTES", len(GOOD))
    case = compared(sample_repository)

    told = client.get(case.url("diff", cues="all"), headers=reader).json

    assert told["gave_up_because"] == "too_large"
    assert told["captions"]["message"].startswith("The captions differ and are too large")
    assert told["cues"]["data"] == []
