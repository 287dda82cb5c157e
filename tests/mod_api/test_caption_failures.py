"""Outputs that were made to break their comparison: results are stored, differences answered."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_api.services.captions import child
from mod_api.services.outputs import caption_changes
from tests import factories
from tests.factories import Expected
from tests.mod_api.compared import BAD, GOOD, compared
from tests.mod_api.test_metrics import named, scraped
from tests.runners import runner

ENDLESS_NUMBER = b"WEBVTT\n\n00:01.000 --> 00:02.000\n&#" + b"9" * 4301 + b";\n"
ONE_CUE = b"WEBVTT\n\n00:01.000 --> 00:02.000\n%s\n"
# A letter and its accent, composed and not.
COMPOSED, DECOMPOSED = "\u00f9", "u\u0300"


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "results:read", "runs:read")


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(expected: bytes, actual: bytes, extension: str) -> None:
        raise RecursionError("a fault nobody thought of")

    monkeypatch.setattr(caption_changes, "compare", compare)


def _cue(text: str) -> bytes:
    return ONE_CUE % text.encode()


def test_a_reference_to_no_character_is_a_changed_text(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    case = compared(sample_repository, _cue("x"), ENDLESS_NUMBER, extension=".vtt")

    told = client.get(case.url("diff"), headers=reader)

    assert told.status_code == 200
    assert told.json["captions"]["kinds"] == {"text": 1}
    assert told.json["captions"]["message"] == "Cue 1 at 00:00:01,000: 'x' became '\ufffd'."


@pytest.mark.parametrize(
    "reference", ["&#65;", "&#0000000065;", "&#x41;", "&#X0000000041;", "&#65"]
)
def test_a_reference_to_a_character_is_that_character(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    reference: str,
) -> None:
    case = compared(sample_repository, _cue("A"), _cue(reference), extension=".vtt")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["captions"]["kinds"] == {"formatting": 1}


def test_a_runner_may_report_a_reference_to_no_character(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    good = factories.stored_output(sample_repository, _cue("x"), ".vtt")
    test = factories.regression_test(outputs=[Expected(correct=good, extension=".vtt")])
    run = factories.run(tests=[test])
    held = runner(client).claim()

    reported = held.report(test.id, {test.outputs[0].id: ENDLESS_NUMBER})

    assert reported.status_code == 200
    errors = client.get(f"/api/v1/runs/{run.id}/errors", headers=reader).json["data"]
    assert [error["caption_change"] for error in errors] == ["text"]


@pytest.mark.parametrize(("letters", "kind"), [(60, "encoding"), (600, "text")])
def test_only_words_of_bounded_length_are_normalized(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    letters: int,
    kind: str,
) -> None:
    files = [_cue(f"a {each * letters} z") for each in (COMPOSED, DECOMPOSED)]
    case = compared(sample_repository, *files, extension=".vtt")

    told = client.get(case.url("diff"), headers=reader).json

    assert told["captions"]["kinds"] == {kind: 1}


def test_a_result_is_stored_though_its_comparison_fails(
    app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    broken: None,
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    test = factories.regression_test(outputs=[Expected(correct=good)])
    run = factories.run(tests=[test])
    held = runner(client).claim()
    before = scraped(app)[named("ci_caption_failures_total")]

    reported = held.report(test.id, {test.outputs[0].id: BAD})

    assert reported.status_code == 200
    assert held.finish().status_code == 200
    errors = client.get(f"/api/v1/runs/{run.id}/errors", headers=reader).json["data"]
    assert [error["caption_change"] for error in errors] == [None]
    assert scraped(app)[named("ci_caption_failures_total")] == before + 1


def test_a_difference_is_answered_though_its_captions_cannot_be_compared(
    app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    broken: None,
) -> None:
    case = compared(sample_repository)
    before = scraped(app)[named("ci_caption_failures_total")]

    failed = client.get(case.url("diff"), headers=reader)
    monkeypatch.undo()
    mended = client.get(case.url("diff"), headers=reader)

    assert failed.status_code == mended.status_code == 200
    assert failed.json["hunks"] == mended.json["hunks"]
    assert failed.json["captions"]["kind"] == "mixed"
    assert failed.json["captions"]["message"] == "The captions differ and could not be compared."
    assert scraped(app)[named("ci_caption_failures_total")] == before + 1
    assert mended.json["captions"]["kind"] == "text"


def test_large_files_are_compared_in_a_process_of_their_own(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    cues = [
        f"{n}\n00:{n // 60 % 60:02}:{n % 60:02},000 --> 00:{n // 60 % 60:02}:{n % 60:02},900\n"
        f"Line {n} {'of many words ' * 9}\n\n"
        for n in range(1, 2000)
    ]
    expected = "".join(cues).encode()
    case = compared(sample_repository, expected, expected.replace(b"Line 1234 ", b"Lime 1234 "))

    told = client.get(case.url("diff", cues="all", cues_offset=1232, cues_limit=3), headers=reader)

    assert told.status_code == 200
    assert told.json["captions"]["message"] == "Cue 1,234 at 00:20:34,000: 'Line' became 'Lime'."
    assert [row["kind"] for row in told.json["cues"]["data"]] == ["identical", "text", "identical"]
    assert told.json["cues"]["pagination"]["total"] == 1999


def test_a_process_that_is_killed_leaves_the_rest_of_the_answer(
    sqlite_app: Flask,
    client: FlaskClient,
    sample_repository: Path,
    reader: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "MAX_BYTES_IN_PROCESS", 0)
    monkeypatch.setattr(child, "_START", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    case = compared(sample_repository)

    told = client.get(case.url("diff", cues="all"), headers=reader)

    assert told.status_code == 200
    assert told.json["captions"]["message"] == "The captions differ and could not be compared."
    assert told.json["cues"]["data"] == []
    assert told.json["summary"]["added_lines"] == 1
