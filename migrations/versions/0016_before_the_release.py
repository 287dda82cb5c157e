"""The beginning: nothing. The steps after it create what is missing.

Databases that were made before the release are at revision 0016, of sixteen steps that are one here:
they go on from it like an empty database, and lack nothing or little. So this number stays.
"""

revision = "0016"
down_revision = None


def upgrade() -> None:
    """Leave everything as it is."""


def downgrade() -> None:
    """Leave everything as it is."""
