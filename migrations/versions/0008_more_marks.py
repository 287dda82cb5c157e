"""Marks of what was not marked: ids that change, the sentinel, and runs that go.

The triggers are the application's own: those that are missing are created. Nothing that is kept can
be wrong because of this but what was changed in one of these ways before; `flask rollup verify`
finds it, `flask rollup rebuild` mends it.
"""

from alembic import op

from mod_test.rollup import triggers

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    triggers.create(op.get_bind())


def downgrade() -> None:
    """The triggers go with the rollup: more marks than are needed do no harm."""
