"""Triggers on the given tables: they stamp new runs, and mark what changes what the rollup keeps.

Every run that is there gets its age. The rollup's triggers are the application's own
(`mod_test/rollup/triggers.py`): they can be dropped and made anew at any time. Unless all were there
already, every run begins as open, so that answers are right at once; `flask rollup rebuild` rolls up
the ended ones.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from mod_test.rollup import triggers

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    connection = op.get_bind()
    stamp_new_runs()
    backfill_ages()
    if not triggers.are_complete(connection):
        # Generation 0: until the end of this step, also where it is broken off, nothing is kept.
        triggers.keep_nothing(connection)
    if not triggers.create(connection):
        print("rollup: this account may not create triggers; nothing is kept, all is derived")
        return
    triggers.drop_former(connection)
    # After the triggers, so that a run inserted meanwhile is not missed.
    connection.execute(
        sa.text(
            "INSERT INTO open_run (test_id) SELECT t.id FROM test t "
            "WHERE NOT EXISTS (SELECT 1 FROM open_run o WHERE o.test_id = t.id) "
            "AND NOT EXISTS (SELECT 1 FROM run_rollup r WHERE r.test_id = t.id)"
        )
    )
    connection.execute(
        sa.text("UPDATE rollup_state SET generation = :new WHERE generation = 0"),
        {"new": secrets.randbits(62) | 1},
    )


def backfill_ages() -> None:
    """`created_at` of every run: its first progress, else the age of the next older run, else now.

    Of older runs without any progress before them nothing is known; they get the oldest known age,
    so that ids and ages keep the same order. A run that the trigger stamped meanwhile keeps that.
    """
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    clock = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'" if sqlite else "UTC_TIMESTAMP(3)"
    moment = "strftime('%Y-%m-%d %H:%M:%S.000000', {})" if sqlite else "{}"
    first = moment.format(
        "(SELECT p.timestamp FROM test_progress p WHERE p.test_id = t.id ORDER BY p.id LIMIT 1)"
    )
    rows = connection.execute(
        sa.text(
            f"SELECT t.id, r.created_at, {first} "
            "FROM test t LEFT JOIN run_record r ON r.test_id = t.id ORDER BY t.id"
        )
    ).all()
    now = connection.execute(sa.text(f"SELECT {clock}")).scalar_one()
    age = next((kept or known for _, kept, known in rows if kept or known), now)
    ages = []
    for run_id, kept, known in rows:
        age = kept or known or age
        if kept is None:
            ages.append({"id": run_id, "age": age})
    insert = sa.text(
        f"INSERT {'OR IGNORE' if sqlite else 'IGNORE'} INTO run_record (test_id, created_at) "
        "VALUES (:id, :age)"
    )
    for start in range(0, len(ages), 1000):
        connection.execute(insert, ages[start : start + 1000])


def stamp_new_runs() -> None:
    """A trigger stamps each new run, whoever inserts it.

    Where the account may not create triggers, the application stamps a run when it first sees it;
    `flask check` says so.
    """
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.execute(
            sa.text(
                "CREATE TRIGGER IF NOT EXISTS run_record_stamp AFTER INSERT ON test BEGIN "
                "INSERT OR REPLACE INTO run_record (test_id, created_at) "
                "VALUES (NEW.id, strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'); END"
            )
        )
        return
    if has_trigger(connection):
        return
    try:
        connection.execute(
            sa.text(
                "CREATE TRIGGER run_record_stamp AFTER INSERT ON test FOR EACH ROW "
                "INSERT IGNORE INTO run_record (test_id, created_at) "
                "VALUES (NEW.id, UTC_TIMESTAMP(3))"
            )
        )
    except sa.exc.DBAPIError as error:
        refused = (1044, 1142, 1227, 1419)  # no right to it, or binary logging forbids it
        if error.orig is None or error.orig.args[0] not in refused:
            raise
        print("run_record_stamp: this account may not create triggers; runs are stamped when seen")


def has_trigger(connection: sa.Connection) -> bool:
    found = connection.execute(
        sa.text(
            "SELECT 1 FROM information_schema.triggers "
            "WHERE trigger_schema = DATABASE() AND trigger_name = 'run_record_stamp'"
        )
    )
    return found.scalar() is not None


def downgrade() -> None:
    connection = op.get_bind()
    triggers.drop(connection)
    # Dropping a trigger that is not there takes the right to triggers all the same.
    if connection.dialect.name == "sqlite" or has_trigger(connection):
        connection.execute(sa.text("DROP TRIGGER IF EXISTS run_record_stamp"))
