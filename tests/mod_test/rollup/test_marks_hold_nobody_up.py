"""Marks hold nobody up, neither those who make them nor who settles them; former triggers go."""

import contextlib
import threading

import pytest
from sqlalchemy import text

from database import db
from mod_test.rollup import triggers
from mod_test.rollup.settle import settle_marks, settling
from tests import factories
from tests.conftest import Site
from tests.raw import Raw
from tests.runners import runner

EVENT = (
    "INSERT INTO test_progress (test_id, status, timestamp, message) "
    "VALUES (?, 'preparation', '2026-01-01', '')"
)


@pytest.fixture
def site(mariadb, sites) -> Site:
    """The one on MariaDB: SQLite has one writer at a time."""
    found = sites("mariadb")
    found.empty()
    with found.app.app_context():
        factories.bind(db.engine)
    return found


def test_a_long_statement_of_one_program_holds_up_no_other(site) -> None:
    slow, other = (factories.run(progress=["preparation", "testing"]) for _ in range(2))
    with contextlib.closing(Raw(site.url)) as one, contextlib.closing(Raw(site.url)) as two:
        two.execute("SET SESSION innodb_lock_wait_timeout = 1")
        # The first row is marked, and the statement goes on for longer than the other one waits.
        statement = "UPDATE test_progress SET message = SLEEP(2) WHERE test_id = ?"
        begun = threading.Thread(target=one.execute, args=[statement, [slow.id]])
        begun.start()
        try:
            for _ in range(20):
                two.execute(EVENT, [other.id])
                two.execute("DO SLEEP(0.15)")
            assert begun.is_alive(), "it was to be at work meanwhile"
        finally:
            begun.join()


def test_triggers_of_earlier_revisions_go_once_the_new_ones_are_there(app) -> None:
    with app.app_context(), db.engine.connect() as connection:
        before = triggers.existing(connection)
        former = "CREATE TRIGGER rollup_progress_insert AFTER INSERT ON test_progress FOR EACH ROW "
        body = "INSERT INTO rollup_mark (kind, run_id) SELECT 'p', NEW.test_id"
        connection.execute(text(f"{former} BEGIN {body}; END"))
        assert triggers.are_complete(connection)

        triggers.drop_former(connection)

        assert triggers.existing(connection) == before
        assert triggers.are_complete(connection)
        connection.commit()


def test_settling_a_restart_holds_up_nobody(site) -> None:
    ours = runner(site.app.test_client())
    runs = [factories.run() for _ in range(4)]
    for _ in runs[:2]:
        ours.claim()
    with contextlib.closing(Raw(site.url)) as raw:
        raw.execute("DELETE FROM test_progress WHERE test_id = ?", [runs[0].id])
        raw.execute("SET SESSION innodb_lock_wait_timeout = 1")
        with site.app.app_context(), settling():
            for run in runs:
                raw.execute(EVENT, [run.id])
            for run in runs[1:]:
                raw.execute("UPDATE run_record SET attempts = 7 WHERE test_id = ?", [run.id])
            raw.execute(
                "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
                "SELECT platform, test_type, 'new', fork_id, branch, `commit`, pr_nr FROM test "
                "WHERE id = ?",
                [runs[0].id],
            )


def test_settling_waits_for_nobody_who_has_not_committed(site) -> None:
    runs = [factories.run() for _ in range(3)]
    with contextlib.closing(Raw(site.url)) as raw, site.app.app_context():
        with raw.transaction():
            raw.execute(EVENT, [runs[0].id])
            settle_marks(waits=False)
        ((left,),) = raw.execute("SELECT count(*) FROM rollup_mark")
        assert left == 1
