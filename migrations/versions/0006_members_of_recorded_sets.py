"""An index of the given table `customized_test`: whether a test is in a run's recorded set.

Its two indexes are of one column each: without both, the answer costs a look at all tests of the
run, or at all runs of the test. MariaDB and MySQL build it while others read and write; where they
cannot, the migration fails rather than lock a live site.
"""

import sqlalchemy as sa
from alembic import op

from database import indexes

revision = "0006"
down_revision = "0005"

NAME, TABLE, COLUMNS = "ix_customized_test_member", "customized_test", ["test_id", "regression_id"]


def upgrade() -> None:
    if NAME in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        return
    op.create_index(NAME, TABLE, COLUMNS)


def downgrade() -> None:
    indexes.add_own_key(op.get_bind(), TABLE, COLUMNS[0], beside=NAME)
    op.drop_index(NAME, TABLE)
