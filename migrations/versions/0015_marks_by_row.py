"""Triggers that insert their marks row by row, in the place of those that selected them.

INSERT ... SELECT holds the lock of the marks' next id until the statement that fired the trigger has
ended: two programs that wrote much at once could wait for each other, and MariaDB then rolled one of
them back (errors 1213 and 1467), maybe the existing site.

The new ones are there before the former ones go; meanwhile some marks are made twice, which does no
harm.
"""

from alembic import op

from mod_test.rollup import triggers

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    if triggers.create_or_keep_nothing(op.get_bind()):
        triggers.drop_former(op.get_bind())


def downgrade() -> None:
    """These mark what the former ones marked, and go with the rollup."""
