"""The given tables where they are missing, two indexes of them, and our own tables.

On an empty database this creates everything, on the existing site's only what is missing. The
indexes are built while others read and write; where the database cannot, the step fails rather than
lock a live site.

The given tables are taken from the models: their names and columns are the existing site's and
cannot change. Our own are written out here, as they were at this revision.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

import mod_ci.models
import mod_regression.models
import mod_sample.models  # noqa: F401  these bring every given table into the metadata
from database import Base, indexes

revision = "0017"
down_revision = "0016"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}
# Foreign keys of given tables that an index of ours serves as well, and that index.
SERVED = (
    ("customized_test", "test_id", "ix_customized_test_member"),
    ("test_result", "regression_test_id", "ix_test_result_runtime"),
)


def upgrade() -> None:
    connection = op.get_bind()
    given = [table for table in Base.metadata.sorted_tables if table.info.get("given")]
    indexes.create_missing(connection, [*given, *own_tables()])
    for table, column, other in SERVED:
        indexes.add_own_key(connection, table, column, beside=other)


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
            sa.Index("ix_audit_event_account_name", "account_name"),
            sa.Index("ix_audit_event_action", "action"),
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
            sa.Column("failed_attempts", sa.Integer, nullable=False, server_default="0"),
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
            sa.Column("recorded_at", MOMENT),
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
            sa.Column("stdout_tail", sa.Text),
            sa.Column("stderr_tail", sa.Text),
            sa.ForeignKeyConstraint(
                ["test_id", "regression_test_id"],
                ["test_result.test_id", "test_result.regression_test_id"],
                ondelete="CASCADE",
                onupdate="CASCADE",
            ),
            sa.UniqueConstraint("test_id", "regression_test_id", name="uq_result_record"),
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
            **OPTIONS,
        ),
        sa.Table(
            "run_log",
            own,
            sa.Column("test_id", to_run(), primary_key=True, autoincrement=False),
            sa.Column("size", sa.BigInteger, nullable=False),
            sa.Column("sha256", sa.String(64), nullable=False),
            sa.Column("kept_at", MOMENT, nullable=False),
            **OPTIONS,
        ),
        sa.Table(
            "lost_lease",
            own,
            number(),
            sa.Column("platform", sa.String(50), nullable=False),
            sa.Column("lost_at", MOMENT, nullable=False),
            sa.Index("ix_lost_lease_platform", "platform"),
            **OPTIONS,
        ),
        sa.Table(
            "baseline_approval",
            own,
            number(),
            sa.Column("run_id", sa.Integer, nullable=False),
            sa.Column("sample_id", sa.Integer, nullable=False),
            sa.Column("regression_id", sa.Integer, nullable=False),
            sa.Column("output_id", sa.Integer, nullable=False),
            sa.Column("extension", sa.String(64), nullable=False),
            sa.Column("mode", sa.String(50), nullable=False),
            sa.Column("apply_to_variants", sa.Boolean(create_constraint=False), nullable=False),
            sa.Column("file_hash", sa.Text),
            sa.Column("replaced_hash", sa.Text),
            sa.Column("reason", sa.String(500)),
            sa.Column("requester_id", sa.Integer, nullable=False),
            sa.Column("requester_name", sa.String(255), nullable=False),
            sa.Column("requester_email", sa.String(255), nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("undoes_id", sa.ForeignKey("baseline_approval.id")),
            sa.UniqueConstraint("undoes_id", name="uq_baseline_approval_undoes"),
            sa.Index("ix_baseline_approval_regression", "regression_id"),
            sa.Index("ix_baseline_approval_requester", "requester_email"),
            **OPTIONS,
        ),
        sa.Table(
            "baseline_decision",
            own,
            sa.Column(
                "approval_id",
                sa.ForeignKey("baseline_approval.id"),
                primary_key=True,
                autoincrement=False,
            ),
            sa.Column("decision", sa.String(50), nullable=False),
            sa.Column("account_id", sa.Integer, nullable=False),
            sa.Column("account_name", sa.String(255), nullable=False),
            sa.Column("account_email", sa.String(255), nullable=False),
            sa.Column("by_requester", sa.Boolean(create_constraint=False), nullable=False),
            sa.Column("reason", sa.String(500)),
            sa.Column("decided_at", MOMENT, nullable=False),
            **OPTIONS,
        ),
        sa.Table(
            "baseline_change",
            own,
            number(),
            sa.Column("approval_id", sa.ForeignKey("baseline_approval.id"), nullable=False),
            sa.Column("regression_id", sa.Integer),
            sa.Column("output_id", sa.Integer, nullable=False),
            sa.Column("replaced_hash", sa.Text),
            sa.Column("new_hash", sa.Text),
            sa.Column("variant_id", sa.Integer),
            sa.Index("ix_baseline_change_approval", "approval_id"),
            sa.Index("ix_baseline_change_output", "output_id"),
            **OPTIONS,
        ),
        sa.Table(
            "diff_classification",
            own,
            sa.Column("expected_hash", sa.String(64), primary_key=True),
            sa.Column("actual_hash", sa.String(64), primary_key=True),
            sa.Column("extension", sa.String(64), primary_key=True),
            sa.Column("rules_version", sa.Integer, nullable=False),
            sa.Column("kind", sa.String(50)),
            sa.Column("message", sa.Text),
            sa.Column("cue_number", sa.Integer),
            sa.Column("start_ms", sa.Integer),
            sa.Column("details", LONG_TEXT),
            sa.Column("classified_at", MOMENT, nullable=False),
            sa.Index("ix_diff_classification_kind", "kind"),
            **OPTIONS,
        ),
    ]


def downgrade() -> None:
    connection = op.get_bind()
    for table in reversed(own_tables()):
        table.drop(connection, checkfirst=True)
    for table, column, name in SERVED:
        indexes.add_own_key(connection, table, column, beside=name)
        if name in {index["name"] for index in sa.inspect(connection).get_indexes(table)}:
            op.drop_index(name, table)
