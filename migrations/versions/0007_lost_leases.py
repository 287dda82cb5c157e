"""How many leases have run out, for the metrics: a small table of its own, so nothing is locked."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    if "lost_lease" in sa.inspect(op.get_bind()).get_table_names():
        return
    op.create_table(
        "lost_lease",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("platform", sa.String(50), nullable=False),
        sa.Column("lost_at", MOMENT, nullable=False),
        sa.Index("ix_lost_lease_platform", "platform"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_general_ci",
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("lost_lease")
