"""Settling in others' way: answers wait for nobody, and nothing is lost."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from database import db
from mod_test.rollup import settle, verify
from mod_test.rollup.kept import FEW
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.raw import Raw


@pytest.fixture
def headers(app: Flask) -> dict[str, str]:
    return factories.signed_in("contributor", "runs:read", "results:read")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "PATIENCE", 1)


@pytest.fixture
def other(app: Flask, raw: Raw) -> Iterator[Raw]:
    """A second foreign program."""
    with contextlib.closing(Raw(app.extensions["settings"].database_url)) as connection:
        yield connection


def failing_runs(app: Flask) -> tuple[factories.TestRow, list[factories.RunRow]]:
    """A test, and runs in which it failed, all rolled up: more than are derived in an answer."""
    test = factories.regression_test()
    runs = [factories.run(progress=["testing", "completed"]) for _ in range(FEW + 3)]
    for run in runs:
        factories.result(run, test, outputs={test.output: factories.digest("other")})
    with app.app_context():
        settle_marks()
    return test, runs


def statuses(client: FlaskClient, headers: dict[str, str]) -> dict[int, str]:
    answer = client.get("/api/v1/runs?limit=100", headers=headers)
    assert answer.status_code == 200
    return {run["run_id"]: run["status"] for run in answer.get_json()["data"]}


def approve(raw: Raw, test: factories.TestRow) -> None:
    raw.execute(
        "UPDATE regression_test_output SET correct = ? WHERE id = ?",
        (factories.digest("other"), test.output.id),
    )


def assert_nothing_differs(app: Flask) -> None:
    with app.app_context():
        settle_marks()
        assert list(verify.differences()) == []


@pytest.mark.usefixtures("impatient")
def test_an_answer_does_not_wait_for_a_program_that_holds_runs(
    app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw, other: Raw
) -> None:
    test, runs = failing_runs(app)
    approve(raw, test)
    other.execute("BEGIN IMMEDIATE" if other.is_sqlite else "BEGIN")
    other.execute("UPDATE test SET branch = 'held'")

    assert statuses(client, headers) == {run.id: "pass" for run in runs}

    other.execute("COMMIT")
    assert statuses(client, headers) == {run.id: "pass" for run in runs}
    assert_nothing_differs(app)


@pytest.mark.usefixtures("impatient")
def test_who_gave_up_waiting_waits_as_long_as_others_the_next_time(app: Flask, raw: Raw) -> None:
    question = "PRAGMA busy_timeout" if raw.is_sqlite else "SELECT @@innodb_lock_wait_timeout"
    with app.app_context():
        before = db.session.execute(sa.text(question)).scalar()
        db.session.rollback()
        settle_marks()
        assert db.session.execute(sa.text(question)).scalar() == before


def test_a_run_that_goes_while_it_is_settled_hinders_nobody(
    app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw
) -> None:
    test, runs = failing_runs(app)
    approve(raw, test)
    gone = threading.Event()

    def delete(*_: object) -> None:
        # Its snapshot has been taken, and nothing is locked yet; on SQLite one writes at a time.
        if not gone.is_set() and not raw.is_sqlite:
            gone.set()
            raw.execute("DELETE FROM test WHERE id = ?", (runs[-1].id,))

    with before_statement("DELETE FROM failing_result", delete, app):
        found = statuses(client, headers)

    assert gone.is_set() is not raw.is_sqlite
    assert found == {run.id: "pass" for run in (runs if raw.is_sqlite else runs[:-1])}
    assert_nothing_differs(app)


def test_settling_that_dies_half_way_changes_nothing(
    app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw
) -> None:
    test, runs = failing_runs(app)
    approve(raw, test)
    marks = raw.execute("SELECT count(*) FROM rollup_mark")

    def die(*_: object) -> None:
        raise SystemExit("the process is gone")

    dying = before_statement("INSERT INTO run_rollup", die, app)
    with app.app_context(), dying, pytest.raises(SystemExit):
        settle_marks()

    assert raw.execute("SELECT count(*) FROM rollup_mark") == marks
    assert statuses(client, headers) == {run.id: "pass" for run in runs}
    assert_nothing_differs(app)


def test_what_a_step_has_settled_stays_when_the_next_one_dies(
    app: Flask,
    client: FlaskClient,
    headers: dict[str, str],
    raw: Raw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settle, "RUNS_AT_ONCE", 5)
    _, runs = failing_runs(app)
    for _ in range(2):  # each run has two marks; all of them go in one step
        raw.execute("UPDATE test_result SET runtime = runtime + 1")
    raw.execute("UPDATE test_result SET exit_code = 3 WHERE test_id = ?", (runs[-1].id,))
    steps = 0

    def die_in_the_third(*_: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise ConnectionError("the process is gone")

    dying = before_statement("INSERT INTO rollup_change", die_in_the_third, app)
    with app.app_context(), dying, pytest.raises(ConnectionError):
        settle_marks()

    left = raw.execute("SELECT DISTINCT run_id FROM rollup_mark ORDER BY run_id")
    assert left == [(run.id,) for run in runs[10:]]
    assert statuses(client, headers) == {run.id: "fail" for run in runs}
    assert_nothing_differs(app)


def test_two_that_settle_at_once_do_it_once(
    app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw
) -> None:
    test, runs = failing_runs(app)
    approve(raw, test)
    failed: list[Exception] = []

    def work() -> None:
        try:
            with app.app_context():
                settle_marks()
        except Exception as error:  # noqa: BLE001  the test shows it
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert raw.execute("SELECT count(*) FROM rollup_mark") == [(0,)]
    assert statuses(client, headers) == {run.id: "pass" for run in runs}
    assert_nothing_differs(app)


def test_what_is_written_between_the_look_and_the_read_is_not_half_seen(
    app: Flask, client: FlaskClient, headers: dict[str, str], raw: Raw
) -> None:
    """The answer is that of the snapshot in which marks were looked for."""
    test, runs = failing_runs(app)
    done = threading.Event()

    def approve_now(*_: object) -> None:
        if not done.is_set():
            done.set()
            approve(raw, test)

    with before_statement("keyset_0", approve_now, app):
        first = statuses(client, headers)

    assert done.is_set()
    assert first == {run.id: "fail" for run in runs}
    assert statuses(client, headers) == {run.id: "pass" for run in runs}
    assert_nothing_differs(app)


@contextlib.contextmanager
def before_statement(part: str, act: Callable[..., None], app: Flask) -> Iterator[None]:
    """Let something happen right before a statement of the application with these words."""

    def before(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if part in statement:
            act()

    with app.app_context():
        engine = db.engine
    sa.event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)
