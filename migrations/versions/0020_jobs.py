"""Jobs: submitted projects, their attempts, tests, files and shares of the queue."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from database import Base, indexes

revision = "0020"
down_revision = "0019"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}


def word(most: int) -> sa.types.TypeEngine[str]:
    kept = mysql.VARCHAR(most, charset="ascii", collation="ascii_bin")
    return sa.String(most).with_variant(kept, "mysql", "mariadb")


def number() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def flag(name: str, *, nullable: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=nullable)


def of_job() -> sa.Column[int]:
    return sa.Column("job_id", sa.ForeignKey("job.id", ondelete="CASCADE"), nullable=False)


def of_attempt() -> list[sa.Column[int]]:
    return [number(), of_job(), count("attempt")]


def tables() -> list[sa.Table]:
    own = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    return [
        sa.Table(
            "job",
            own,
            number(),
            sa.Column("uuid", word(36), nullable=False),
            sa.Column("namespace", word(64), nullable=False),
            count("account_id"),
            sa.Column("name", sa.String(200)),
            sa.Column("spec", LONG_TEXT, nullable=False),
            sa.Column("source_sha256", word(64), nullable=False),
            sa.Column("source_bytes", sa.BigInteger, nullable=False),
            sa.Column("state", word(20), nullable=False),
            sa.Column("conclusion", word(20)),
            count("priority"),
            sa.Column("share_tag", sa.Double, nullable=False),
            flag("is_held"),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("started_at", MOMENT),
            sa.Column("ended_at", MOMENT),
            sa.Column("expires_at", MOMENT),
            count("attempts"),
            count("lost_attempts"),
            sa.Column("lease_expires_at", MOMENT),
            sa.Column("exit_code", sa.Integer),
            sa.Column("signal", sa.String(20)),
            sa.Column("outcome", sa.String(30)),
            sa.Column("why", sa.Text),
            flag("is_report_whole", nullable=True),
            *(count(name) for name in ("passed", "failed", "errors", "skipped", "flaky")),
            sa.Column("log_size", sa.BigInteger),
            sa.Column("log_sha256", sa.String(64)),
            sa.Column("retry_of", sa.Integer),
            sa.UniqueConstraint("uuid", name="uq_job_uuid"),
            sa.Index("ix_job_queue", "namespace", "state", "is_held", "priority", "share_tag", "id"),
            sa.Index("ix_job_lease", "namespace", "lease_expires_at"),
            sa.Index("ix_job_account", "account_id", "id"),
            sa.Index(
                "ix_job_share", "account_id", "namespace", "state", "is_held", "priority", "share_tag", "id"
            ),
            sa.Index("ix_job_created", "namespace", "created_at", "id"),
            sa.Index("ix_job_expires", "expires_at"),
            **OPTIONS,
        ),
        sa.Table(
            "job_label",
            own,
            sa.Column(
                "job_id",
                sa.ForeignKey("job.id", ondelete="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("label", word(63), primary_key=True),
            sa.Index("ix_job_label_label", "label", "job_id"),
            **OPTIONS,
        ),
        sa.Table(
            "job_event",
            own,
            number(),
            of_job(),
            sa.Column("kind", sa.String(30), nullable=False),
            sa.Column("message", sa.Text, nullable=False),
            sa.Column("at", MOMENT, nullable=False),
            sa.Column("attempt_id", sa.Integer),
            sa.Column("account_id", sa.Integer),
            sa.Index("ix_job_event_job", "job_id", "id"),
            **OPTIONS,
        ),
        sa.Table(
            "job_attempt",
            own,
            number(),
            of_job(),
            count("number"),
            sa.Column("runner_name", sa.String(100), nullable=False),
            sa.Column("account_id", sa.Integer),
            sa.Column("credential_hash", word(64), nullable=False),
            sa.Column("claimed_at", MOMENT, nullable=False),
            sa.Column("deadline_at", MOMENT, nullable=False),
            sa.Column("stage", word(20)),
            sa.Column("running_test", sa.Text),
            sa.Column("ended_at", MOMENT),
            sa.Column("end_reason", sa.String(50)),
            sa.Column("error_type", sa.String(50)),
            sa.Column("error_message", sa.Text),
            sa.Column("error_stack", sa.Text),
            sa.UniqueConstraint("job_id", "number", name="uq_job_attempt_number"),
            sa.Index("ix_job_attempt_runner", "runner_name", "id"),
            **OPTIONS,
        ),
        sa.Table(
            "job_test",
            own,
            *of_attempt(),
            count("number"),
            sa.Column("nodeid", sa.Text, nullable=False),
            sa.Column("outcome", word(20), nullable=False),
            flag("is_flaky"),
            sa.Column("duration_ms", sa.BigInteger),
            sa.Column("message", LONG_TEXT),
            sa.UniqueConstraint("job_id", "attempt", "number", name="uq_job_test_number"),
            sa.Index("ix_job_test_outcome", "job_id", "attempt", "outcome", "number"),
            **OPTIONS,
        ),
        sa.Table(
            "job_artifact",
            own,
            *of_attempt(),
            sa.Column("name", sa.Text, nullable=False),
            sa.Column("name_hash", word(64), nullable=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("sha256", word(64), nullable=False),
            sa.Column("kind", sa.String(20)),
            sa.Column("error", sa.Text),
            sa.Column("cut", sa.Text),
            sa.UniqueConstraint("job_id", "attempt", "name_hash", name="uq_job_artifact_name"),
            **OPTIONS,
        ),
        sa.Table(
            "job_coverage",
            own,
            *of_attempt(),
            sa.Column("file", sa.Text, nullable=False),
            sa.Column("file_hash", word(64), nullable=False),
            count("lines"),
            count("covered_lines"),
            sa.Column("branches", sa.Integer),
            sa.Column("covered_branches", sa.Integer),
            sa.UniqueConstraint("job_id", "attempt", "file_hash", name="uq_job_coverage_file"),
            **OPTIONS,
        ),
        sa.Table(
            "job_share",
            own,
            sa.Column("account_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("namespace", word(64), primary_key=True),
            sa.Column("finish_tag", sa.Double, nullable=False),
            count("queued"),
            count("running"),
            count("most_running"),
            **OPTIONS,
        ),
        sa.Table(
            "job_clock",
            own,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("now_tag", sa.Double, nullable=False),
            **(OPTIONS | {"sqlite_autoincrement": False}),
        ),
    ]


def upgrade() -> None:
    connection = op.get_bind()
    indexes.create_missing(connection, tables())
    add_job_of_a_key(connection)
    connection.execute(
        sa.text(
            "INSERT INTO job_clock (id, now_tag) SELECT 1, 0 FROM (SELECT 1 AS one) AS once "
            "WHERE NOT EXISTS (SELECT 1 FROM job_clock)"
        )
    )


def add_job_of_a_key(connection: sa.Connection) -> None:
    columns = {column["name"] for column in sa.inspect(connection).get_columns("idempotency_key")}
    if "job_id" not in columns:
        op.add_column("idempotency_key", sa.Column("job_id", sa.Integer))


def downgrade() -> None:
    connection = op.get_bind()
    columns = {column["name"] for column in sa.inspect(connection).get_columns("idempotency_key")}
    if "job_id" in columns:
        op.drop_column("idempotency_key", "job_id")
    for table in reversed(tables()):
        table.drop(connection, checkfirst=True)
