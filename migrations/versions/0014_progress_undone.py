"""Marks that tell claims which runs may have been restarted: their progress is gone or another.

A claim looked through every mark of progress, and through the progress of every run that is being
executed. Two triggers more; nothing is written in the tables that are there.
"""

from alembic import op

from mod_test.rollup import triggers

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    triggers.create_or_keep_nothing(op.get_bind())


def downgrade() -> None:
    """The triggers that mark go with the rollup: more marks than are needed do no harm."""
