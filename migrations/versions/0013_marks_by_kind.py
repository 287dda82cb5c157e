"""An index by which the marks of progress are found among those of results.

A claim asks whether a run that had ended was restarted. Another program that deletes the results of
a thousand runs leaves hundreds of thousands of marks, and until they are settled each claim would
read all of them.

The table is ours. MariaDB and MySQL build the index while others read and write.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TABLE, INDEX, COLUMNS = "rollup_mark", "ix_rollup_mark_kind", ["kind", "run_id"]


def upgrade() -> None:
    if INDEX not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        op.create_index(INDEX, TABLE, COLUMNS)


def downgrade() -> None:
    op.drop_index(INDEX, TABLE)
