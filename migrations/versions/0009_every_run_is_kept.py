"""Runs that go on are kept, too, with all that lists show; and what is kept has a version.

The rollup's tables are made anew: they can be rebuilt from the given ones at any time. Every run
begins as open, so that answers are right at once; `flask rollup rebuild` keeps them. No given table
is touched, so nothing is locked but the moment that its triggers are added.
"""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from mod_test.rollup import triggers

revision = "0009"
down_revision = "0008"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
BYTES_OF_A_BRANCH = sa.String(100).with_variant(mysql.VARBINARY(400), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}
FAILED = (
    "'lease_expired', 'deadline_exceeded', 'build_failed', 'resource_unavailable', 'internal_error'"
)


def word(most: int) -> sa.types.TypeEngine[str]:
    kept = mysql.VARCHAR(most, charset="ascii", collation="ascii_bin")
    return sa.String(most).with_variant(kept, "mysql", "mariadb")


def upgrade() -> None:
    connection = op.get_bind()
    add_column("open_run", sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false()))
    if "ix_open_run_settled" not in indexes_of("open_run"):
        op.create_index("ix_open_run_settled", "open_run", ["settled"])
    for name in ("generation", "change_id"):
        add_column("rollup_state", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
    if "rollup_change" not in sa.inspect(connection).get_table_names():
        op.create_table(
            "rollup_change",
            sa.Column(
                "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
            ),
            sa.Column("lowest", sa.Integer, nullable=False),
            **OPTIONS,
        )
    add_column("run_record", sa.Column("failed_attempts", sa.Integer, nullable=False, server_default="0"))
    connection.execute(
        sa.text(
            "UPDATE run_record SET failed_attempts = (SELECT COUNT(*) FROM run_attempt a "
            f"WHERE a.test_id = run_record.test_id AND a.end_reason IN ({FAILED})) "
            "WHERE test_id IN (SELECT a.test_id FROM run_attempt a "
            f"WHERE a.end_reason IN ({FAILED}))"
        )
    )
    for name in ("run_rollup", "failing_result"):
        op.drop_table(name, if_exists=True)
    op.create_table(
        "run_rollup",
        of_run(),
        sa.Column("status", word(20), nullable=False),
        sa.Column("ended_as", word(20)),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_failure", word(20)),
        sa.Column("progress_id", sa.Integer),
        sa.Column("results", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("missing_output", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("platform", word(20), nullable=False),
        sa.Column("fork_id", sa.Integer, nullable=False),
        sa.Column("branch", BYTES_OF_A_BRANCH, nullable=False),
        sa.Column("commit_sha", word(40), nullable=False),
        sa.Column("pull_request", sa.Integer),
        sa.Column("requester_id", sa.Integer),
        sa.Index("ix_run_rollup_created", "created_at", "test_id", "status", "platform", "set_id"),
        sa.Index("ix_run_rollup_started", "started_at", "test_id", "status", "platform"),
        sa.Index("ix_run_rollup_status", "status", "created_at", "test_id", "platform"),
        sa.Index("ix_run_rollup_platform", "platform", "created_at", "test_id", "status"),
        sa.Index("ix_run_rollup_fork", "fork_id", "created_at", "test_id", "status", "platform"),
        sa.Index("ix_run_rollup_branch", "branch", "created_at", "test_id", "status", "platform"),
        sa.Index("ix_run_rollup_commit", "commit_sha", "created_at", "test_id"),
        sa.Index("ix_run_rollup_pull_request", "pull_request", "created_at", "test_id"),
        sa.Index("ix_run_rollup_of_status", "status", "test_id", "set_id", "platform"),
        sa.Index("ix_run_rollup_of_branch", "branch", "test_id", "set_id", "status", "platform"),
        sa.Index("ix_run_rollup_branches", "fork_id", "branch", "test_id", "created_at"),
        sa.Index("ix_run_rollup_set", "set_id", "test_id"),
        **OPTIONS,
    )
    op.create_table(
        "failing_result",
        of_run(),
        sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", word(20), nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("signature", sa.String(255)),
        sa.Index("ix_failing_result_test", "regression_test_id", "status", "test_id"),
        **OPTIONS,
    )
    connection.execute(sa.text("UPDATE open_run SET settled = false"))
    connection.execute(
        sa.text("UPDATE rollup_state SET generation = :random"), {"random": secrets.randbits(62)}
    )
    triggers.create(connection)
    # After the triggers, so that a run inserted meanwhile is not missed.
    connection.execute(
        sa.text(
            "INSERT INTO open_run (test_id) SELECT t.id FROM test t "
            "WHERE NOT EXISTS (SELECT 1 FROM open_run o WHERE o.test_id = t.id)"
        )
    )


def add_column(table: str, column: sa.Column[object]) -> None:
    known = {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)}
    if column.name not in known:
        op.add_column(table, column)


def indexes_of(table: str) -> set[str | None]:
    return {found["name"] for found in sa.inspect(op.get_bind()).get_indexes(table)}


def of_run() -> sa.Column[int]:
    return sa.Column(
        "test_id",
        sa.Integer,
        sa.ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def downgrade() -> None:
    for name in ("run_rollup", "failing_result"):
        op.drop_table(name, if_exists=True)
    op.drop_column("run_record", "failed_attempts")
    op.drop_table("rollup_change", if_exists=True)
    op.drop_column("rollup_state", "change_id")
    op.drop_column("rollup_state", "generation")
    op.drop_index("ix_open_run_settled", "open_run")
    op.drop_column("open_run", "settled")
    before = op.get_context().script.get_revision("0005")
    before.module.upgrade()
