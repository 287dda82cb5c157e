"""What was kept of the logs of ended runs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("run_log"):
        return
    op.create_table(
        "run_log",
        sa.Column(
            "test_id",
            sa.Integer,
            sa.ForeignKey("test.id", ondelete="CASCADE", onupdate="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("kept_at", MOMENT, nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_general_ci",
    )


def downgrade() -> None:
    op.drop_table("run_log", if_exists=True)
