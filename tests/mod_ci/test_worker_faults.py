"""Faults of the database that pass by, under a post that its worker would never send again."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event

from database import db
from tests import factories
from tests.conftest import only_on_mariadb
from tests.lock_waits import first_wait, until_it_waits_again
from tests.mod_ci.test_workers import BYTES, DIGEST, Worker, of, rows
from tests.patience import PATIENCE_SECONDS, until
from tests.raw import Raw

KINDS = ["equality", "upload", "finish"]


@pytest.fixture
def test_(site) -> factories.TestRow:
    return factories.regression_test()


@pytest.fixture
def run(test_) -> factories.RunRow:
    return factories.run(tests=[test_], progress=["testing"])


@pytest.fixture
def another_raw(site) -> Iterator[Raw]:
    """A second foreign connection, for a transaction that stays open."""
    with contextlib.closing(Raw(site.url)) as connection:
        yield connection


def post(app, run, test_, kind: str) -> str:
    """The answer to one of the posts that are not repeated."""
    worker = Worker(app.test_client(), run)
    if kind == "finish":
        return worker.post(kind, test_id=test_.id, runTime=1000, exitCode=0)
    return worker.post(kind, BYTES if kind == "upload" else None, **of(test_))


def check_stored(raw, run, test_, kind: str) -> None:
    """Return whether the post counts, and counts once."""
    if kind == "finish":
        assert raw.execute("SELECT count(*) FROM test_result") == [(1,)]
    else:
        got = DIGEST if kind == "upload" else None
        assert rows(raw, run) == [(test_.id, test_.output.id, got)]


@contextlib.contextmanager
def failures(app) -> Iterator[list[BaseException]]:
    """The errors that the database gives the application meanwhile."""
    seen: list[BaseException] = []

    def note(context: Any) -> None:
        seen.append(context.original_exception)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "handle_error", note)
    try:
        yield seen
    finally:
        event.remove(engine, "handle_error", note)


@contextlib.contextmanager
def posting(app, run, test_, kind: str) -> Iterator["Future[str]"]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(post, app, run, test_, kind)


@only_on_mariadb
@pytest.mark.parametrize("kind", KINDS)
def test_a_post_whose_connection_is_killed_is_stored(
    app, run, test_, raw, another_raw, kind
) -> None:
    another_raw.execute("BEGIN")
    another_raw.execute("SELECT id FROM test WHERE id = ? FOR UPDATE", [run.id])
    with posting(app, run, test_, kind) as answer:
        first = first_wait(raw)
        raw.execute(f"KILL {first[0]}")
        until_it_waits_again(raw, first)
        another_raw.execute("COMMIT")
        assert answer.result(PATIENCE_SECONDS) == "OK"

    check_stored(raw, run, test_, kind)


@only_on_mariadb
@pytest.mark.parametrize("kind", KINDS)
def test_a_post_that_waits_too_long_for_a_lock_is_stored(
    app, run, test_, raw, another_raw, kind
) -> None:
    raw.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
    with app.app_context():
        db.engine.dispose()  # what connects anew is as impatient
    try:
        another_raw.execute("BEGIN")
        another_raw.execute("SELECT id FROM test WHERE id = ? FOR UPDATE", [run.id])
        with posting(app, run, test_, kind) as answer:
            until_it_waits_again(raw, first_wait(raw))
            another_raw.execute("COMMIT")
            assert answer.result(PATIENCE_SECONDS) == "OK"
    finally:
        raw.execute("SET GLOBAL innodb_lock_wait_timeout = DEFAULT")
        with app.app_context():
            db.engine.dispose()

    check_stored(raw, run, test_, kind)


@only_on_mariadb
@pytest.mark.parametrize("kind", ["equality", "upload", "finish"])
def test_a_post_that_is_a_deadlocks_victim_is_stored(
    app, run, test_, raw, another_raw, kind
) -> None:
    others = [factories.run() for _ in range(20)]
    another_raw.execute("BEGIN")
    # The one who has written more is not the victim.
    for other in others:
        another_raw.execute("UPDATE test SET branch = 'heavy' WHERE id = ?", [other.id])
    table = "test_result" if kind == "finish" else "test_result_file"
    values = "0, 0, 0" if kind == "finish" else f"{test_.output.id}, 'x', NULL"
    another_raw.execute(f"INSERT INTO {table} VALUES (?, ?, {values})", [run.id, test_.id])
    with posting(app, run, test_, kind) as answer:
        first = first_wait(raw)
        another_raw.execute("SELECT id FROM test WHERE id = ? FOR UPDATE", [run.id])
        until_it_waits_again(raw, first)
        another_raw.execute("ROLLBACK")
        assert answer.result(PATIENCE_SECONDS) == "OK"

    check_stored(raw, run, test_, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_that_meets_a_locked_sqlite_database_is_stored(
    sqlite_app, run, test_, raw, kind
) -> None:
    app = sqlite_app

    def impatient(connection: Any) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 0")

    with app.app_context():
        engine = db.engine
    event.listen(engine, "begin", impatient, insert=True)
    raw.execute("BEGIN IMMEDIATE")
    try:
        with posting(app, run, test_, kind) as answer, failures(app) as seen:
            until(lambda: bool(seen))
            raw.execute("COMMIT")
            assert answer.result(PATIENCE_SECONDS) == "OK"
    finally:
        event.remove(engine, "begin", impatient)
        with app.app_context():
            engine.dispose()

    check_stored(raw, run, test_, kind)
