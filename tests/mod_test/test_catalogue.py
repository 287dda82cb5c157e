"""Regression tests are read once, and a change is seen at once."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from database import db, writing
from mod_regression.definitions import Definition, definitions_of
from mod_test import catalogue
from mod_test.rollup import rebuild, triggers
from mod_test.rollup.settle import settle_marks, settled_reading
from tests import factories
from tests.raw import Raw
from tests.sql import counted

Read = Callable[[], Definition | None]
CHANGES = {
    "regression_test": "UPDATE regression_test SET command = '--other' WHERE id = {test}",
    "its types": "UPDATE regression_test SET input_type = 'udp' WHERE id = {test}",
    "its activity": "UPDATE regression_test SET active = 0 WHERE id = {test}",
    "output": "UPDATE regression_test_output SET expected_filename = 'x' WHERE id = {output}",
    "baseline": "UPDATE regression_test_output SET correct = 'x' WHERE id = {output}",
    "variant": "INSERT INTO regression_test_output_files (file_hashes, regression_test_output_id) "
    "VALUES ('x', {output})",
    "no variant": "DELETE FROM regression_test_output_files",
    "revocation": "INSERT INTO baseline_revocation (output_id, file_hash, revoked_at) "
    "VALUES ({output}, 'x', '2026-01-01 00:00:00.000000')",
    "its description": "UPDATE regression_test SET description = '' WHERE id = {test}",
    "sample": "UPDATE sample SET original_name = 'other.ts' WHERE id = {sample}",
    "tag": "UPDATE tag SET name = 'other'",
    "untagged": "DELETE FROM sample_tag_association",
    "category": "UPDATE category SET name = 'other'",
    "in no category": "DELETE FROM regression_test_category",
    "a test goes": "DELETE FROM regression_test_category; DELETE FROM regression_test_output_files;"
    "DELETE FROM regression_test_output; DELETE FROM regression_test WHERE id = {test}",
}


@pytest.fixture
def test() -> factories.TestRow:
    sample = factories.sample(tags=[factories.tag("one")])
    found = factories.regression_test(sample=sample, categories=[factories.category("some")])
    factories.accept_variant(found.output.id, factories.digest("variant"))
    return found


@pytest.fixture
def read(app: Flask, test: factories.TestRow) -> Read:
    """Reads the test as a GET does, and holds it against the tables."""

    def ask() -> Definition | None:
        with app.app_context(), settled_reading():
            found = catalogue.definitions([test.id])
            assert found == definitions_of([test.id])
            return found.get(test.id)

    return ask


@pytest.fixture
def without_triggers(app: Flask, settled) -> Iterator[None]:
    """As where the account may not create triggers; the database is shared by the tests."""
    settled()
    with app.app_context(), writing():
        db.session.execute(text("UPDATE rollup_state SET generation = 0"))
        triggers.drop(db.session.connection())
    yield
    with app.app_context():
        rebuild.prepare()


def statements(app: Flask, test: factories.TestRow) -> int:
    with app.app_context(), settled_reading(), counted(app) as found:
        catalogue.definitions([test.id])
        return len(found)


def test_a_test_is_read_once(app: Flask, test: factories.TestRow, settled) -> None:
    assert [statements(app, test) for _ in range(2)] == [1, 1]  # marks of it wait
    settled()
    assert [statements(app, test) for _ in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_at_once_before_and_after_it_is_settled(
    raw: Raw, test: factories.TestRow, read: Read, settled, what: str
) -> None:
    settled()
    before = read()
    assert before == read()

    for statement in CHANGES[what].split(";"):
        raw.execute(statement.format(test=test.id, output=test.output.id, sample=test.sample.id))

    after = read()
    assert after != before
    settled()
    assert [read(), read()] == [after, after]


def test_whoever_consumes_the_mark_the_change_is_seen(
    raw: Raw, test: factories.TestRow, read: Read, settled
) -> None:
    settled()
    before = read()
    raw.execute("UPDATE regression_test SET command = '--other'")
    raw.execute("DELETE FROM rollup_mark")  # as a process of an earlier revision may

    after = read()

    assert after is not None and before is not None
    assert (before.command, after.command) == (test.command, "--other")


def test_what_is_remembered_is_of_its_version_only_also_after_a_restore(
    raw: Raw, test: factories.TestRow, read: Read, settled
) -> None:
    settled()
    ((backup,),) = raw.execute("SELECT definitions_id FROM rollup_state")
    raw.execute("UPDATE regression_test SET command = '--lost'")
    settled()
    read()
    raw.execute("UPDATE regression_test SET command = '--restored'")
    raw.execute("DELETE FROM rollup_mark")
    raw.execute("UPDATE rollup_state SET definitions_id = ?", (backup,))
    raw.execute("UPDATE regression_test SET description = 'newer'")
    settled()

    found = read()

    assert found is not None
    assert (found.command, found.description) == ("--restored", "newer")


@pytest.mark.usefixtures("without_triggers")
def test_nothing_is_remembered_and_nothing_settled_where_changes_are_not_marked(
    app: Flask, raw: Raw, test: factories.TestRow, read: Read, settled
) -> None:
    run = factories.run(progress=["testing", "completed"])
    raw.execute("INSERT INTO rollup_mark (kind, run_id) VALUES ('r', ?)", (run.id,))
    settled()  # what was marked before the triggers went is not kept any more

    assert raw.execute("SELECT COUNT(*) FROM run_rollup") == [(0,)]
    assert raw.execute("SELECT COUNT(*) FROM rollup_mark") == [(0,)]
    with app.app_context(), settled_reading() as marks_wait:
        assert not marks_wait
    raw.execute("UPDATE regression_test SET command = '--unmarked'")
    found = read()
    assert found is not None and found.command == "--unmarked"


def test_what_the_existing_site_notes_after_each_run_is_no_change(
    app: Flask, raw: Raw, test: factories.TestRow, settled
) -> None:
    run = factories.run(progress=["testing", "completed"])
    settled()
    statements(app, test)

    raw.execute("UPDATE regression_test SET last_passed_on_linux = ?", (run.id,))

    assert statements(app, test) == 0


def test_a_snapshot_goes_on_seeing_what_it_saw(
    app: Flask, raw: Raw, test: factories.TestRow, settled
) -> None:
    settled()
    with app.app_context(), settled_reading():
        before = catalogue.definitions([test.id])
        raw.execute("UPDATE regression_test SET command = '--other'")
        assert catalogue.definitions([test.id]) == before
    with app.app_context():
        settle_marks()
        with settled_reading():
            assert catalogue.definitions([test.id])[test.id].command == "--other"


def test_whoever_writes_sees_what_is_there_and_leaves_nothing_wrong_behind(
    app: Flask, raw: Raw, test: factories.TestRow, read: Read, settled
) -> None:
    settled()
    with app.app_context():
        with pytest.raises(ZeroDivisionError), writing():
            db.session.execute(text("UPDATE regression_test SET command = '--taken-back'"))
            assert catalogue.definitions([test.id])[test.id].command == "--taken-back"
            raise ZeroDivisionError
        with writing():
            assert catalogue.definitions([test.id])[test.id].command == test.command
    found = read()
    assert found is not None and found.command == test.command


def test_what_is_read_while_another_program_commits_is_not_kept_for_the_version_before(
    app: Flask, raw: Raw, test: factories.TestRow, settled, monkeypatch: pytest.MonkeyPatch
) -> None:
    if raw.is_sqlite:
        raw.execute("PRAGMA busy_timeout = 0")
    settled()
    real = catalogue.definitions_of

    def slow(ids: Any) -> Any:
        with suppress(sqlite3.OperationalError):  # there only one writes at a time
            raw.execute("UPDATE regression_test SET command = '--newer'")
        return real(ids)

    monkeypatch.setattr(catalogue, "definitions_of", slow)
    with app.app_context(), writing():
        found = catalogue.definitions([test.id])[test.id]
        assert found.command == (test.command if raw.is_sqlite else "--newer")
        assert (test.id in catalogue._memories[db.engine].by_id["tests"]) is raw.is_sqlite
