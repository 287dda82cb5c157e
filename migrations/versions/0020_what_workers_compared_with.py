"""When a progress event was written to the millisecond, and what a test printed on each stream.

A run's `equality` is booked against the baseline that was current when it began, which the given
column has in whole seconds. How failures of existing workers are signed has changed: where such
are kept, they are derived until `flask rollup rebuild` was run.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0020"
down_revision = "0019"

MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=3), "mysql", "mariadb")
COLUMNS = (
    ("progress_record", "recorded_at", MOMENT),
    ("result_record", "stdout_tail", sa.Text()),
    ("result_record", "stderr_tail", sa.Text()),
)
TABLE, INDEX = "baseline_change", "ix_baseline_change_output"


def upgrade() -> None:
    connection = op.get_bind()
    for table, name, kind in COLUMNS:
        if name not in _names(sa.inspect(connection).get_columns(table)):
            op.add_column(table, sa.Column(name, kind))
    if INDEX not in _names(sa.inspect(connection).get_indexes(TABLE)):
        op.create_index(INDEX, TABLE, ["output_id"])
    connection.execute(
        sa.text(
            "UPDATE rollup_state SET generation = 0 "
            "WHERE EXISTS (SELECT 1 FROM failing_result WHERE signature IS NOT NULL)"
        )
    )


def _names(found: list[dict[str, object]]) -> set[object]:
    return {each["name"] for each in found}


def downgrade() -> None:
    op.drop_index(INDEX, TABLE)
    for table, name, _ in reversed(COLUMNS):
        op.drop_column(table, name)
