"""What runs are listed, filtered and sorted by is kept with what is derived of them.

The rollup's tables are made anew: they can be rebuilt from the given ones at any time. Every run
begins as open, so that answers are right at once; `flask rollup rebuild` rolls up the ended ones.
No existing table is touched, so nothing is locked but the moment that its triggers are added.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from mod_test.rollup import triggers

revision = "0005"
down_revision = "0004"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
BYTES_OF_A_BRANCH = sa.String(100).with_variant(mysql.VARBINARY(400), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}


def upgrade() -> None:
    connection = op.get_bind()
    existing = set(sa.inspect(connection).get_table_names())
    for name in ("run_rollup", "failing_result"):
        op.drop_table(name, if_exists=True)
    op.create_table(
        "run_rollup",
        of_run(),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("ended_as", sa.String(50), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("results", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("missing_output", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("set_id", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("platform", sa.String(50), nullable=False),
        sa.Column("fork_id", sa.Integer, nullable=False),
        sa.Column("branch", BYTES_OF_A_BRANCH, nullable=False),
        sa.Column("commit_sha", sa.String(40), nullable=False),
        sa.Column("pull_request", sa.Integer),
        sa.Index("ix_run_rollup_created", "created_at", "test_id", "set_id"),
        sa.Index("ix_run_rollup_started", "started_at", "test_id"),
        sa.Index("ix_run_rollup_status", "status", "created_at", "test_id", "set_id"),
        sa.Index("ix_run_rollup_platform", "platform", "created_at", "test_id", "set_id"),
        sa.Index("ix_run_rollup_fork", "fork_id", "created_at", "test_id"),
        sa.Index("ix_run_rollup_branch", "branch", "created_at", "test_id", "set_id"),
        sa.Index("ix_run_rollup_branches", "fork_id", "branch", "test_id"),
        sa.Index("ix_run_rollup_commit", "commit_sha", "created_at", "test_id"),
        sa.Index("ix_run_rollup_pull_request", "pull_request", "created_at", "test_id"),
        sa.Index("ix_run_rollup_set", "set_id", "test_id"),
        **OPTIONS,
    )
    op.create_table(
        "failing_result",
        of_run(),
        sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Index("ix_failing_result_test", "regression_test_id", "status", "test_id"),
        **OPTIONS,
    )
    if "run_set" not in existing:
        op.create_table(
            "run_set",
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.UniqueConstraint("digest", name="uq_run_set_digest"),
            **OPTIONS,
        )
    if "run_set_member" not in existing:
        op.create_table(
            "run_set_member",
            sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column(
                "set_id",
                sa.Integer,
                sa.ForeignKey("run_set.id", ondelete="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Index("ix_run_set_member_set", "set_id", "regression_test_id"),
            **OPTIONS,
        )
    triggers.create(connection)
    # After the triggers, so that a run inserted meanwhile is not missed.
    connection.execute(
        sa.text(
            "INSERT INTO open_run (test_id) SELECT t.id FROM test t "
            "WHERE NOT EXISTS (SELECT 1 FROM open_run o WHERE o.test_id = t.id)"
        )
    )


def of_run() -> sa.Column[int]:
    return sa.Column(
        "test_id",
        sa.Integer,
        sa.ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def downgrade() -> None:
    for name in ("run_set_member", "run_set", "run_rollup", "failing_result"):
        op.drop_table(name, if_exists=True)
    before = op.get_context().script.get_revision(down_revision)
    before.module.upgrade()
