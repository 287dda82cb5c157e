"""`/runs/{run_id}/diffs`: the differing outputs of a run in the terms of captions."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import Expected, RunRow
from tests.mod_api.compared import BAD, GOOD
from tests.sql import counted

PICTURES = (b"\x89PNG\x00\x01", b"\x89PNG\x00\x02")


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "results:read", "runs:read")


def differing(folder: Path, count: int) -> RunRow:
    """A run of `count` tests of two outputs, of which the first one differs."""
    good = factories.stored_output(folder, GOOD)
    tests = [
        factories.regression_test(outputs=[Expected(correct=good), Expected(correct=good)])
        for _ in range(count)
    ]
    run = factories.run(progress=["testing", "completed"], tests=tests)
    for at, test in enumerate(tests):
        content = BAD.replace(b"The end", f"The end {at}".encode())
        bad = factories.stored_output(folder, content)
        factories.result(
            run, test, outputs={test.outputs[0]: bad, test.outputs[1]: factories.MATCH}
        )
    return run


def test_differing_outputs_are_listed_with_their_captions(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    run = differing(sample_repository, 3)

    listed = client.get(f"/api/v1/runs/{run.id}/diffs", headers=reader).json

    assert listed["pagination"]["total"] == 3
    for row in listed["data"]:
        assert row["compared"] is True
        whole = client.get(row["links"]["diff"], headers=reader).json
        assert row["captions"] == whole["captions"]
        assert (row["expected_hash"], row["actual_hash"]) == (
            whole["expected_hash"],
            whole["actual_hash"],
        )


def test_differing_outputs_are_paged_by_cursor(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    run = differing(sample_repository, 3)
    path = f"/api/v1/runs/{run.id}/diffs"
    whole = client.get(path, headers=reader).json["data"]

    first = client.get(f"{path}?limit=2", headers=reader).json
    cursor = first["pagination"]["next_cursor"]
    second = client.get(f"{path}?limit=2&cursor={cursor}", headers=reader).json

    assert first["data"] + second["data"] == whole
    assert second["pagination"]["next_cursor"] is None


def test_differing_outputs_are_filtered_by_test(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    run = differing(sample_repository, 3)
    path = f"/api/v1/runs/{run.id}/diffs"
    one = client.get(path, headers=reader).json["data"][1]

    by_test = client.get(f"{path}?regression_id={one['regression_id']}", headers=reader).json

    assert by_test["data"] == [one]
    assert by_test["pagination"]["total"] == 1


def test_files_without_captions_are_listed_without_them(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    before, after = (factories.stored_output(sample_repository, each, ".png") for each in PICTURES)
    test = factories.regression_test(outputs=[Expected(correct=before, extension=".png")])
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test, outputs={test.outputs[0]: after})

    (row,) = client.get(f"/api/v1/runs/{run.id}/diffs", headers=reader).json["data"]

    assert (row["compared"], row["captions"]) == (True, None)


def test_a_lost_file_leaves_its_row_without_a_comparison(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    run = differing(sample_repository, 2)
    listed = client.get(f"/api/v1/runs/{run.id}/diffs?limit=1", headers=reader).json["data"]
    for path in (sample_repository / "TestResults").iterdir():
        path.unlink()

    rows = client.get(f"/api/v1/runs/{run.id}/diffs", headers=reader).json["data"]

    assert rows[0] == listed[0]
    assert (rows[1]["compared"], rows[1]["captions"]) == (False, None)


def test_a_run_that_is_not_there_is_not_found(
    sqlite_app: Flask, client: FlaskClient, reader: dict[str, str]
) -> None:
    assert client.get("/api/v1/runs/999/diffs", headers=reader).status_code == 404


def test_a_token_without_the_scope_is_refused(
    sqlite_app: Flask, client: FlaskClient, sample_repository: Path, site: Any
) -> None:
    run = differing(sample_repository, 1)
    headers = factories.signed_in("user", "runs:read")

    assert client.get(f"/api/v1/runs/{run.id}/diffs", headers=headers).status_code == 403


def test_a_list_costs_few_statements_however_long(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    costs = []
    for count in (2, 20):
        path = f"/api/v1/runs/{differing(sample_repository, count).id}/diffs"
        client.get(path, headers=reader)
        with counted(app) as statements:
            assert client.get(path, headers=reader).status_code == 200
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 8


def cues(*texts: str, shift_ms: int = 0) -> bytes:
    """Captions of a second each, all so many ms late."""
    lines = []
    for number, text in enumerate(texts, 1):
        start = number * 2000 + shift_ms
        times = [f"00:00:{at // 1000:02},{at % 1000:03}" for at in (start, start + 1000)]
        lines += [str(number), " --> ".join(times), text, ""]
    return "\n".join(lines).encode()


def test_outputs_that_changed_alike_are_of_one_group(
    app: Flask, client: FlaskClient, sample_repository: Path, reader: dict[str, str]
) -> None:
    changes = [
        (cues("a", "b"), cues("a", "b", shift_ms=500)),
        (cues("c", "d", "e"), cues("c", "d", "e", shift_ms=500)),
        (cues("f", "g"), cues("f", "g", shift_ms=700)),
        (cues("one niño here"), cues("one nino here")),
        (cues("x", "a niño there"), cues("x", "a nino there")),
        (cues("one niño here"), cues("one nine here")),
    ]
    run = factories.run(progress=["testing", "completed"])
    for good, bad in changes:
        baseline = factories.stored_output(sample_repository, good)
        test = factories.regression_test(outputs=[Expected(baseline)])
        came_out = factories.stored_output(sample_repository, bad)
        factories.result(run, test, outputs={test.output: came_out})

    listed = client.get(f"/api/v1/runs/{run.id}/diffs", headers=reader).json["data"]
    late, as_late, later, spelled, spelled_so, other = (row["group"] for row in listed)

    assert late == as_late
    assert spelled == spelled_so
    assert len({late, later, spelled, other}) == 4
    assert None not in (late, later, spelled, other)
