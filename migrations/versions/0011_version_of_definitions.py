"""A version of the regression tests, so that processes need not read them for each answer.

Whatever changes what is read of them is marked, by triggers that are created here. The new column
has a default: where the database can, adding it touches no row.
"""

import secrets

import sqlalchemy as sa
from alembic import op

from mod_test.rollup import triggers

revision = "0011"
down_revision = "0010"

TABLE, COLUMN = "rollup_state", "definitions_id"


def upgrade() -> None:
    connection = op.get_bind()
    if COLUMN not in {column["name"] for column in sa.inspect(connection).get_columns(TABLE)}:
        new = sa.Column(COLUMN, sa.BigInteger, server_default="0", nullable=False)
        op.add_column(TABLE, new)
    if triggers.create_or_keep_nothing(connection):
        # What a process remembers from before they were there is of another generation.
        connection.execute(
            sa.text("UPDATE rollup_state SET generation = :new WHERE generation <> 0"),
            {"new": secrets.randbits(62) | 1},
        )


def downgrade() -> None:
    """The triggers that mark go with the rollup: more marks than are needed do no harm."""
    op.execute("DROP TRIGGER IF EXISTS rollup_catalogue_settled")
    op.drop_column(TABLE, COLUMN)
