"""An index of the given table `test_result`: how long a test took, run by run.

Histories hold each result against those before it. With the runtime in the index no row is looked
at, of which there are millions. MariaDB and MySQL build it while others read and write; where they
cannot, the migration fails rather than lock a live site.
"""

import sqlalchemy as sa
from alembic import op

from database import indexes

revision = "0010"
down_revision = "0009"

NAME, TABLE = "ix_test_result_runtime", "test_result"
COLUMNS = ["regression_test_id", "test_id", "runtime"]


def upgrade() -> None:
    if NAME in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(TABLE)}:
        return
    op.create_index(NAME, TABLE, COLUMNS)


def downgrade() -> None:
    indexes.add_own_key(op.get_bind(), TABLE, COLUMNS[0], beside=NAME)
    op.drop_index(NAME, TABLE)
