"""`flask queue`, `flask repository` and `flask demo`, through their command lines."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from database import reading
from demo.content import Demo, build
from mod_ci import stored_files
from mod_sample.storage import result_key, sample_key
from tests import factories
from tests.raw import Raw

TABLES = (
    "category",
    "regression_test",
    "regression_test_category",
    "regression_test_output",
    "regression_test_output_files",
    "sample",
    "sample_tag_association",
    "tag",
    "upload",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    yield build(tmp_path_factory.mktemp("demo") / "demo")


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def seed(app: Flask, demo: Demo) -> Result:
    return run(app, "demo", "seed", "--folder", str(demo.repository.parents[2]))


def content(raw: Raw) -> dict[str, list[tuple[object, ...]]]:
    return {table: sorted(raw.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def test_the_demo_is_there_after_seeding(
    app: Flask, raw: Raw, demo: Demo, sample_repository: Path
) -> None:
    result = seed(app, demo)

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Regression tests added: {len(demo.tests)}, of")
    rows = raw.execute("SELECT sha, extension FROM sample")
    assert {sha for sha, _ in rows} == {sample.sha256 for sample in demo.samples}
    outputs = raw.execute(
        "SELECT correct, correct_extension FROM regression_test_output UNION "
        "SELECT v.file_hashes, o.correct_extension FROM regression_test_output_files v "
        "JOIN regression_test_output o ON o.id = v.regression_test_output_id"
    )
    names = [sample_key(*row) for row in rows] + [result_key(*row) for row in outputs]
    assert all((sample_repository / name).is_file() for name in names)
    assert len(raw.execute("SELECT DISTINCT category_id FROM regression_test_category")) == 4


def test_seeding_twice_changes_nothing(app: Flask, raw: Raw, demo: Demo) -> None:
    seed(app, demo)
    before = content(raw)

    again = seed(app, demo)

    assert again.stdout.startswith("Regression tests added: 0, of")
    assert content(raw) == before


def test_seeding_keeps_a_baseline_that_was_approved_since(app: Flask, raw: Raw, demo: Demo) -> None:
    seed(app, demo)
    approved = "c" * 64
    raw.execute("UPDATE regression_test_output SET correct = ?", [approved])

    seed(app, demo)

    assert raw.execute("SELECT DISTINCT correct FROM regression_test_output") == [(approved,)]


def test_seeding_brings_back_files_that_were_lost(
    sqlite_app: Flask, demo: Demo, sample_repository: Path
) -> None:
    seed(sqlite_app, demo)
    lost = sample_repository / sample_key(demo.samples[0].sha256, demo.samples[0].extension)
    lost.unlink()

    seed(sqlite_app, demo)

    assert lost.read_bytes() == demo.samples[0].path.read_bytes()


def test_an_installation_with_tests_of_its_own_is_left_alone(
    app: Flask, raw: Raw, demo: Demo
) -> None:
    factories.regression_test()
    before = content(raw)

    result = seed(app, demo)

    assert result.exit_code == 1
    assert "1 regression tests that are not the demo's" in result.stderr
    assert content(raw) == before


def test_expired_leases_are_written_down(app: Flask, raw: Raw) -> None:
    run_id = factories.run().id
    raw.execute(
        "UPDATE run_record SET lease_expires_at = '2026-01-01 00:00:00.000000' WHERE test_id = ?",
        [run_id],
    )

    first, second = run(app, "queue", "expire"), run(app, "queue", "expire")

    assert first.stdout == "Leases that had expired: 1.\n"
    assert second.stdout == "Leases that had expired: 0.\n"
    assert raw.execute("SELECT lease_expires_at FROM run_record") == [(None,)]


def test_only_old_temporary_files_of_ours_are_swept(
    sqlite_app: Flask, sample_repository: Path
) -> None:
    folder = sample_repository / "TempFiles"
    folder.mkdir(parents=True)
    old, young, foreign = (folder / name for name in ("ci-api-old", "ci-api-young", "upload"))
    for path in (old, young, foreign):
        path.write_bytes(b"")
    two_days_ago = time.time() - 2 * 24 * 3600
    for path in (old, foreign):
        os.utime(path, (two_days_ago, two_days_ago))

    result = run(sqlite_app, "repository", "sweep")

    assert result.stdout == "Temporary files removed: 1.\n"
    assert sorted(path.name for path in folder.iterdir()) == ["ci-api-young", "upload"]


def test_copying_needs_both_storages(sqlite_app: Flask) -> None:
    result = run(sqlite_app, "repository", "sync")

    assert result.exit_code == 1
    assert "SAMPLE_REPOSITORY and GCS_BUCKET" in result.stderr


def test_the_names_of_stored_files_leave_out_what_can_be_none(
    app: Flask, raw: Raw, demo: Demo
) -> None:
    seed(app, demo)
    raw.execute("INSERT INTO sample (sha, extension, original_name) VALUES ('x', '../y', 'z')")

    with app.app_context(), reading():
        names = set(stored_files.names())

    assert {sample_key(sample.sha256, sample.extension) for sample in demo.samples} <= names
    assert not [name for name in names if ".." in name]


def test_without_tables_a_command_says_so(
    make_app: Callable[..., Flask], tmp_path: Path, demo: Demo
) -> None:
    app = make_app(database_url=f"sqlite:///{tmp_path / 'empty.sqlite'}")

    for result in (run(app, "queue", "expire"), seed(app, demo)):
        assert result.exit_code == 1
        assert "db upgrade" in result.stderr
