"""The given tables where they are missing, and our first own ones.

On an empty database this creates everything. On an existing one it creates only what is missing
(`api_token` on older installations, our own tables, and indexes that the models have beyond the
given ones, while others read and write) and gives every run its age.

The given tables are taken from the models: their names and columns are the existing site's and
cannot change. Our own are written out here, as they were at this revision.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

import mod_ci.models
import mod_sample.models  # noqa: F401  both bring every given table into the metadata
from database import Base

revision = "0001"
down_revision = None

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
}


def upgrade() -> None:
    connection = op.get_bind()
    given = [table for table in Base.metadata.sorted_tables if table.info.get("given")]
    for table in (*given, *own_tables()):
        table.create(connection, checkfirst=True)
        # A table whose creation was broken off may be there without its indexes.
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    stamp_new_runs()
    backfill_ages()


def own_tables() -> list[sa.Table]:
    own = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    for name in ("user", "api_token", "test", "test_progress", "test_result", "regression_test_output"):
        Base.metadata.tables[name].to_metadata(own)

    def to_run() -> sa.ForeignKey:
        return sa.ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE")

    def number() -> sa.Column[int]:
        return sa.Column("id", sa.Integer, primary_key=True)

    return [
        sa.Table(
            "account_record",
            own,
            sa.Column(
                "user_id",
                sa.ForeignKey("user.id", ondelete="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("disabled_at", MOMENT),
            sa.Column("github_id", sa.BigInteger),
            **OPTIONS,
        ),
        sa.Table(
            "execute_grant",
            own,
            sa.Column(
                "token_id",
                sa.ForeignKey("api_token.id", ondelete="CASCADE", onupdate="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("granted_at", MOMENT, nullable=False),
            **OPTIONS,
        ),
        sa.Table(
            "audit_event",
            own,
            number(),
            sa.Column("at", MOMENT, nullable=False),
            sa.Column("account_id", sa.Integer),
            sa.Column("account_name", sa.String(255)),
            sa.Column("action", sa.String(50), nullable=False),
            sa.Column("subject_type", sa.String(50), nullable=False),
            sa.Column("subject_id", sa.Integer),
            sa.Column("details", sa.Text, nullable=False),
            sa.Index("ix_audit_event_subject", "subject_type", "subject_id"),
            sa.Index("ix_audit_event_account", "account_id"),
            sqlite_autoincrement=True,
            **OPTIONS,
        ),
        sa.Table(
            "run_record",
            own,
            sa.Column("test_id", to_run(), primary_key=True, autoincrement=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
            sa.Column("lost_attempts", sa.Integer, nullable=False, server_default="0"),
            sa.Column("lease_expires_at", MOMENT),
            sa.Column("held_progress_id", sa.Integer),
            sa.Column("retry_of", sa.Integer),
            sa.Column("reason", sa.String(255)),
            sa.Column("environment_id", sa.String(50)),
            sa.Index("ix_run_record_created_at", "created_at"),
            **OPTIONS,
        ),
        sa.Table(
            "progress_record",
            own,
            sa.Column(
                "progress_id",
                sa.ForeignKey("test_progress.id", ondelete="CASCADE", onupdate="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("cause", sa.String(50), nullable=False),
            sa.Column("account_id", sa.Integer),
            sa.Column("attempt_id", sa.Integer),
            sa.Column("step", sa.Integer),
            **OPTIONS,
        ),
        sa.Table(
            "result_record",
            own,
            number(),
            sa.Column("test_id", sa.Integer, nullable=False),
            sa.Column("regression_test_id", sa.Integer, nullable=False),
            sa.Column("attempt_id", sa.Integer),
            sa.Column("outcome", sa.String(50), nullable=False),
            sa.Column("signal", sa.String(20)),
            sa.Column("message", sa.Text),
            sa.Column("tail", sa.Text),
            sa.Column("started_at", MOMENT),
            sa.Column("recorded_at", MOMENT, nullable=False),
            sa.ForeignKeyConstraint(
                ["test_id", "regression_test_id"],
                ["test_result.test_id", "test_result.regression_test_id"],
                ondelete="CASCADE",
                onupdate="CASCADE",
            ),
            sa.UniqueConstraint("test_id", "regression_test_id", name="uq_result_record"),
            sqlite_autoincrement=True,
            **OPTIONS,
        ),
        sa.Table(
            "run_attempt",
            own,
            number(),
            sa.Column("test_id", to_run(), nullable=False),
            sa.Column("number", sa.Integer, nullable=False),
            sa.Column("platform", sa.String(50), nullable=False),
            sa.Column("runner_name", sa.String(100), nullable=False),
            sa.Column("account_id", sa.Integer),
            sa.Column("credential_hash", sa.String(64), nullable=False),
            sa.Column("claimed_at", MOMENT, nullable=False),
            sa.Column("deadline_at", MOMENT, nullable=False),
            sa.Column("stage", sa.String(50)),
            sa.Column("running_tests", sa.Text),
            sa.Column("ended_at", MOMENT),
            sa.Column("end_reason", sa.String(50)),
            sa.Column("error_type", sa.String(50)),
            sa.Column("error_message", sa.Text),
            sa.Column("error_stack", sa.Text),
            sa.UniqueConstraint("test_id", "number", name="uq_run_attempt_number"),
            sa.Index("ix_run_attempt_platform", "platform", "id"),
            sqlite_autoincrement=True,
            **OPTIONS,
        ),
        sa.Table(
            "baseline_revocation",
            own,
            sa.Column(
                "output_id",
                sa.ForeignKey("regression_test_output.id", ondelete="CASCADE", onupdate="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("file_hash", sa.String(64), primary_key=True),
            sa.Column("revoked_at", MOMENT, nullable=False),
            **OPTIONS,
        ),
        sa.Table(
            "idempotency_key",
            own,
            number(),
            sa.Column("account_id", sa.ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
            sa.Column("key_hash", sa.String(64), nullable=False),
            sa.Column("request_hash", sa.String(64), nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("run_id", sa.Integer),
            sa.UniqueConstraint("account_id", "key_hash", name="uq_idempotency_key"),
            sqlite_autoincrement=True,
            **OPTIONS,
        ),
    ]


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
    # Dropping a trigger that is not there takes the right to triggers all the same.
    if connection.dialect.name == "sqlite" or has_trigger(connection):
        connection.execute(sa.text("DROP TRIGGER IF EXISTS run_record_stamp"))
    for table in reversed(own_tables()):
        table.drop(connection, checkfirst=True)
