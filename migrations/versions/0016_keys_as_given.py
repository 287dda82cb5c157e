"""Foreign keys of given tables have an index of their own everywhere, as in the given schema.

MariaDB drops the one that it has made itself for ours that serve as well, and keeps one that was
made by name: an existing site has them, a database that began empty had not, and could not go back
behind our indexes.
"""

from alembic import op

from database import indexes

revision = "0016"
down_revision = "0015"

KEYS = (
    ("customized_test", "test_id", "ix_customized_test_member"),
    ("test_result", "regression_test_id", "ix_test_result_runtime"),
)


def upgrade() -> None:
    for table, column, other in KEYS:
        indexes.add_own_key(op.get_bind(), table, column, beside=other)


def downgrade() -> None:
    """They are the given schema's, and stay."""
