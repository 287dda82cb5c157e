"""The rollup of ended runs: its tables, the triggers that mark what changes, and its indexes.

Every existing run begins as open, so that answers are right at once; `flask rollup rebuild` rolls
up the ended ones. The triggers are the application's own (`mod_test/rollup/triggers.py`): they can
be dropped and made anew at any time.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from mod_test.rollup import triggers

revision = "0004"
down_revision = "0003"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
}
TABLES = ("run_rollup", "failing_result", "open_run", "rollup_mark", "rollup_state")


def upgrade() -> None:
    connection = op.get_bind()
    existing = set(sa.inspect(connection).get_table_names())
    if "run_rollup" not in existing:
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
            sa.Index("ix_run_rollup_status", "status", "test_id"),
            **OPTIONS,
        )
    if "failing_result" not in existing:
        op.create_table(
            "failing_result",
            of_run(),
            sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("status", sa.String(20), nullable=False),
            sa.Column("errors", sa.Integer, nullable=False),
            sa.Index("ix_failing_result_test", "regression_test_id", "test_id"),
            **OPTIONS,
        )
    if "open_run" not in existing:
        op.create_table("open_run", of_run(), **OPTIONS)
    if "rollup_mark" not in existing:
        op.create_table(
            "rollup_mark",
            sa.Column(
                "id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True
            ),
            sa.Column("kind", sa.String(1), nullable=False),
            sa.Column("run_id", sa.Integer),
            sa.Column("regression_id", sa.Integer),
            sa.Column("output_id", sa.Integer),
            sa.Column("file_hash", sa.String(64)),
            sa.Index("ix_rollup_mark_run", "run_id"),
            sqlite_autoincrement=True,
            **OPTIONS,
        )
    if "rollup_state" not in existing:
        op.create_table(
            "rollup_state",
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            **OPTIONS,
        )
    connection.execute(
        sa.text(
            "INSERT INTO rollup_state (id) SELECT 1 FROM (SELECT 1 AS one) AS once "
            "WHERE NOT EXISTS (SELECT 1 FROM rollup_state)"
        )
    )
    if not triggers.create(connection):
        print("rollup: this account may not create triggers; nothing is kept, all is derived")
    # After the triggers, so that a run inserted meanwhile is not missed.
    connection.execute(
        sa.text(
            "INSERT INTO open_run (test_id) SELECT t.id FROM test t "
            "WHERE NOT EXISTS (SELECT 1 FROM open_run o WHERE o.test_id = t.id) "
            "AND NOT EXISTS (SELECT 1 FROM run_rollup r WHERE r.test_id = t.id)"
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
    triggers.drop(op.get_bind())
    for table in TABLES:
        op.drop_table(table, if_exists=True)
