"""The definers of our triggers. On MariaDB a trigger acts as the account that created it.

Once that account is dropped, every INSERT, UPDATE and DELETE on the given tables fails with error
1449, the existing site's too, until an existing account creates the triggers again.
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
    return sorted({row.owner for row in _ours(connection)} - {this, None})


def are_hidden(connection: Connection) -> bool:
    """Tell whether our triggers are there, but not the accounts that they act as: MariaDB shows
    those to accounts with the right TRIGGER only."""
    if connection.dialect.name == "sqlite":
        return False
    return any(row.owner is None for row in _ours(connection))


def what_fails(connection: Connection) -> str | None:
    """Return the error of an UPDATE on `test` that changes nothing and is rolled back; None if it
    works, or if there is no run yet."""
    with connection.begin() as transaction:
        try:
            connection.execute(text("UPDATE test SET id = id ORDER BY id LIMIT 1"))
        except DBAPIError as error:
            return str(error.orig)
        finally:
            transaction.rollback()
    return None


def adopt(connection: Connection) -> int:
    """Create our triggers again, as this account; return how many there are.

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
