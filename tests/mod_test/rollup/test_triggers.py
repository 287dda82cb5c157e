"""Marks of other programs: who writes much holds up nobody else, and former triggers go."""

import contextlib
import threading

from sqlalchemy import text

from database import db
from mod_test.rollup import triggers
from tests import factories
from tests.raw import Raw

EVENT = (
    "INSERT INTO test_progress (test_id, status, timestamp, message) "
    "VALUES (?, 'preparation', '2026-01-01', '')"
)


def test_a_long_statement_of_one_program_holds_up_no_other(mariadb, sites) -> None:
    site = sites("mariadb")
    site.empty()
    with site.app.app_context():
        factories.bind(db.engine)
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
