"""Who asked for which baseline, who decided, what it changed; what changed between two outputs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_general_ci",
    "sqlite_autoincrement": True,
}
NAMES = {"ix": "ix_%(table_name)s_%(column_0_name)s"}


def upgrade() -> None:
    connection = op.get_bind()
    for table in tables():
        table.create(connection, checkfirst=True)
        # A table whose creation was broken off may be there without its indexes.
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def tables() -> list[sa.Table]:
    own = sa.MetaData(naming_convention=NAMES)

    def number() -> sa.Column[int]:
        return sa.Column("id", sa.Integer, primary_key=True)

    return [
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
    for table in reversed(tables()):
        op.drop_table(table.name, if_exists=True)
