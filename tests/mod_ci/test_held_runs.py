"""Runs that somebody else has locked, on MariaDB: on SQLite one writes at a time."""

import contextlib
import threading
from collections.abc import Iterator

import pytest
from flask import Flask

from mod_ci import queue
from tests import factories
from tests.conftest import Site, only_on_mariadb
from tests.lock_waits import first_wait
from tests.raw import Raw
from tests.runners import LONG_AGO, Held, Runner

LOCK = "SELECT id FROM test WHERE id = ? FOR UPDATE"


@pytest.fixture
def other(site: Site) -> Iterator[Raw]:
    """A second program, which does not wait for long."""
    with contextlib.closing(Raw(site.url)) as connection:
        connection.execute("SET SESSION innodb_lock_wait_timeout = 2")
        yield connection


@only_on_mariadb
@pytest.mark.usefixtures("app")
def test_a_finish_that_waits_for_its_run_has_locked_nothing_else(held: Held, other: Raw) -> None:
    """Who cancels the run has it locked, and then ends its attempts."""
    other.execute("BEGIN")
    other.execute(LOCK, [held.run_id])
    answers = []
    finishing = threading.Thread(target=lambda: answers.append(held.finish()))
    finishing.start()
    try:
        first_wait(other)
        other.execute("UPDATE run_attempt SET running_tests = NULL")
    finally:
        other.execute("COMMIT")
        finishing.join()

    assert [answer.status_code for answer in answers] == [200]


@only_on_mariadb
def test_a_lease_of_a_run_that_somebody_holds_is_written_down_the_next_time(
    app: Flask, ours: Runner, raw: Raw, other: Raw
) -> None:
    runs = [factories.run(), factories.run()]
    ours.claim(), ours.claim()
    raw.execute("UPDATE run_record SET lease_expires_at = ?", [LONG_AGO])
    other.execute("BEGIN")
    other.execute(LOCK, [runs[0].id])

    with app.app_context():
        assert queue.expire() == 1
        other.execute("COMMIT")
        assert queue.expire() == 1
        assert queue.expire() == 0
