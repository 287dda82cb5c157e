"""The outbox and webhooks: messages to others, their receivers, and each try to deliver them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from database import Base, indexes

revision = "0021"
down_revision = "0020"

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


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(create_constraint=False), nullable=False)


def of(name: str, table: str) -> sa.Column[int]:
    return sa.Column(
        name, sa.Integer, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False
    )


def tables() -> list[sa.Table]:
    own = sa.MetaData(naming_convention=Base.metadata.naming_convention)
    sa.Table("user", own, number())  # given: referred to, not made
    return [
        sa.Table(
            "webhook",
            own,
            number(),
            of("account_id", "user"),
            sa.Column("url", sa.Text, nullable=False),
            sa.Column("description", sa.String(200)),
            flag("on_job_ended"),
            flag("on_run_ended"),
            flag("all_runs"),
            flag("is_on"),
            sa.Column("off_reason", sa.String(200)),
            sa.Column("failing_since", MOMENT),
            sa.Column("salt", word(32), nullable=False),
            sa.Column("old_salt", word(32)),
            sa.Column("old_salt_until", MOMENT),
            sa.Column("told_to", sa.BigInteger, nullable=False),
            sa.Column("listening_since", MOMENT, nullable=False),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Index("ix_webhook_account", "account_id"),
            **OPTIONS,
        ),
        sa.Table(
            "outbox_message",
            own,
            number(),
            of("webhook_id", "webhook"),
            sa.Column("uuid", word(36), nullable=False),
            sa.Column("event", word(20), nullable=False),
            count("subject_id"),
            sa.Column("body", LONG_TEXT),
            sa.Column("state", word(20), nullable=False),
            count("tries"),
            count("failures"),
            sa.Column("created_at", MOMENT, nullable=False),
            sa.Column("next_at", MOMENT, nullable=False),
            sa.Column("ended_at", MOMENT),
            sa.Column("why", sa.String(200)),
            sa.UniqueConstraint("webhook_id", "uuid", name="uq_outbox_message_uuid"),
            sa.Index("ix_outbox_message_due", "state", "next_at"),
            sa.Index("ix_outbox_message_of_webhook", "webhook_id", "state", "next_at"),
            sa.Index("ix_outbox_message_created", "created_at"),
            **OPTIONS,
        ),
        sa.Table(
            "delivery_try",
            own,
            number(),
            of("message_id", "outbox_message"),
            sa.Column("at", MOMENT, nullable=False),
            count("duration_ms"),
            sa.Column("outcome", word(20), nullable=False),
            sa.Column("status", sa.Integer),
            sa.Column("message", sa.String(200)),
            sa.Index("ix_delivery_try_message", "message_id", "id"),
            sa.Index("ix_delivery_try_at", "at", "outcome"),
            **OPTIONS,
        ),
    ]


def upgrade() -> None:
    indexes.create_missing(op.get_bind(), tables())


def downgrade() -> None:
    for table in reversed(tables()):
        table.drop(op.get_bind(), checkfirst=True)
