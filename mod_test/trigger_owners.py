"""On MariaDB a trigger acts as the account that made it: when that account is gone, nobody writes.

Not only we: every INSERT, UPDATE and DELETE on the given tables fails then, the existing site's too
(error 1449), until the triggers are made anew by an account that exists.
"""

from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

OURS = text(
    "SELECT trigger_name AS name, definer AS owner, action_timing AS moment, "
    "event_manipulation AS event, event_object_table AS of_table, action_statement AS body "
    "FROM information_schema.triggers WHERE trigger_schema = DATABASE() "
    "AND (trigger_name LIKE 'rollup\\_%' OR trigger_name = 'run_record_stamp') "
    "ORDER BY trigger_name"
)


def others(connection: Connection) -> list[str]:
    """The accounts other than this one that our triggers act as; none on SQLite."""
    if connection.dialect.name == "sqlite":
        return []
    this = connection.execute(text("SELECT CURRENT_USER()")).scalar()
    return sorted({row.owner for row in _ours(connection)} - {this})


def what_fails(connection: Connection) -> str | None:
    """What the database says to a change of a run that changes nothing, and is rolled back; None
    where it is done, or there is no run yet."""
    with connection.begin() as transaction:
        try:
            connection.execute(text("UPDATE test SET id = id ORDER BY id LIMIT 1"))
        except DBAPIError as error:
            return str(error.orig)
        finally:
            transaction.rollback()
    return None


def adopt(connection: Connection) -> int:
    """Make our triggers anew, as this account; how many there are.

    MariaDB replaces each in one step. On MySQL nobody may write meanwhile, or `flask rollup
    rebuild` must follow: there is a moment without it. Raises DBAPIError without the right.
    """
    if connection.dialect.name == "sqlite":
        return 0
    found = _ours(connection)
    for row in found:
        create = "CREATE OR REPLACE TRIGGER"
        if not getattr(connection.dialect, "is_mariadb", False):
            create = "CREATE TRIGGER"
            connection.execute(text(f"DROP TRIGGER {row.name}"))
        statement = (
            f"{create} {row.name} {row.moment} {row.event} "
            f"ON `{row.of_table}` FOR EACH ROW {row.body}"
        )
        connection.execute(text(statement.replace(":", r"\:")))
    return len(found)


def _ours(connection: Connection) -> list[Row[Any]]:
    return list(connection.execute(OURS))
