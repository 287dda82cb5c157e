"""The rollup's tables: what is costly to derive of runs. `flask rollup rebuild` fills them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from database import Base, indexes

revision = "0018"
down_revision = "0017"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
LONG_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
BYTES_OF_A_BRANCH = sa.String(100).with_variant(mysql.VARBINARY(400), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}


def word(most: int) -> sa.types.TypeEngine[str]:
    kept = mysql.VARCHAR(most, charset="ascii", collation="ascii_bin")
    return sa.String(most).with_variant(kept, "mysql", "mariadb")


def of_run() -> sa.Column[int]:
    return sa.Column(
        "test_id",
        sa.ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def tables() -> list[sa.Table]:
    own = sa.MetaData()
    Base.metadata.tables["test"].to_metadata(own)
    return [
        sa.Table(
            "run_rollup",
            own,
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
        ),
        sa.Table(
            "failing_result",
            own,
            of_run(),
            sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("status", word(20), nullable=False),
            sa.Column("errors", sa.Integer, nullable=False),
            sa.Column("signature", sa.String(255)),
            sa.Column("content", sa.String(16)),
            sa.Index("ix_failing_result_test", "regression_test_id", "status", "test_id"),
            **OPTIONS,
        ),
        sa.Table(
            "run_set",
            own,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.UniqueConstraint("digest", name="uq_run_set_digest"),
            **OPTIONS,
        ),
        sa.Table(
            "run_set_member",
            own,
            sa.Column("regression_test_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column(
                "set_id",
                sa.ForeignKey("run_set.id", ondelete="CASCADE"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Index("ix_run_set_member_set", "set_id", "regression_test_id"),
            **OPTIONS,
        ),
        sa.Table(
            "open_run",
            own,
            of_run(),
            sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false()),
            sa.Index("ix_open_run_settled", "settled"),
            **OPTIONS,
        ),
        sa.Table(
            "rollup_mark",
            own,
            sa.Column("id", LONG_ID, primary_key=True),
            sa.Column("kind", sa.String(1), nullable=False),
            sa.Column("run_id", sa.Integer),
            sa.Column("regression_id", sa.Integer),
            sa.Column("output_id", sa.Integer),
            sa.Column("file_hash", sa.String(64)),
            sa.Index("ix_rollup_mark_run", "run_id"),
            sa.Index("ix_rollup_mark_kind", "kind", "run_id"),
            **OPTIONS,
        ),
        sa.Table(
            "rollup_state",
            own,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("generation", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("change_id", sa.BigInteger, nullable=False, server_default="0"),
            sa.Column("definitions_id", sa.BigInteger, nullable=False, server_default="0"),
            **(OPTIONS | {"sqlite_autoincrement": False}),
        ),
        sa.Table(
            "rollup_change",
            own,
            sa.Column("id", LONG_ID, primary_key=True),
            sa.Column("lowest", sa.Integer, nullable=False),
            **OPTIONS,
        ),
    ]


def upgrade() -> None:
    connection = op.get_bind()
    mark_failures(connection)
    indexes.create_missing(connection, tables())
    connection.execute(
        sa.text(
            "INSERT INTO rollup_state (id) SELECT 1 FROM (SELECT 1 AS one) AS once "
            "WHERE NOT EXISTS (SELECT 1 FROM rollup_state)"
        )
    )


def mark_failures(connection: sa.Connection) -> None:
    """Databases made before the release have the content of failures in the signature, and sign some
    otherwise: runs with failures are marked to be derived anew, and those whose times go backwards.

    This comes before the column is added, so a step that was killed in between does it again.
    """
    there = sa.inspect(connection)
    if not there.has_table("failing_result"):
        return
    if "content" in {column["name"] for column in there.get_columns("failing_result")}:
        return
    connection.execute(
        sa.text(
            "INSERT INTO rollup_mark (kind, run_id) SELECT 'r', r.test_id FROM run_rollup r "
            "WHERE r.started_at < r.created_at OR r.ended_at < r.created_at "
            "OR EXISTS (SELECT 1 FROM failing_result f WHERE f.test_id = r.test_id)"
        )
    )


def downgrade() -> None:
    for table in reversed(tables()):
        table.drop(op.get_bind(), checkfirst=True)
