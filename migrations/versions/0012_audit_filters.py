"""Indexes of what the audit log is filtered by: it grows with every run that is asked for.

The table is ours. MariaDB and MySQL build them while others read and write.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

TABLE = "audit_event"
INDEXES = {"ix_audit_event_account_name": "account_name", "ix_audit_event_action": "action"}


def upgrade() -> None:
    known = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}
    for name, column in INDEXES.items():
        if name not in known:
            op.create_index(name, TABLE, [column])


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, TABLE)
