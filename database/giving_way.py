"""A change of a table gives way: it waits for a moment, lets others through, and tries again.

MariaDB and MySQL change a table, or give it a trigger, once all transactions that have read it have
ended. While that is waited for, everybody who comes later waits as well; and a back-up reads for
minutes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from textwrap import shorten
from typing import Any

import structlog

CHANGES = ("ALTER ", "CREATE ", "DROP ")
WAIT_SECONDS, TIMED_OUT = 1, 1205
# For how many seconds others are let through before each time; with the waiting some ten minutes.
PAUSES = (0, *range(1, 11), *[10] * 45)
OLDEST = (
    "SELECT p.id, p.user, p.host, t.trx_started FROM information_schema.innodb_trx t "
    "JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id "
    "WHERE p.id <> CONNECTION_ID() ORDER BY p.db <=> DATABASE() DESC, t.trx_started LIMIT 1"
)
log = structlog.get_logger("database")


class TableHeldError(Exception):
    """Others did not let go of a table; the message is one sentence for a person."""


def execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Carry out a statement that changes a table; False where it is another one, and is not done.

    A listener of `do_execute`. Raises TableHeldError, and nothing has changed then.
    """
    if not statement.lstrip().startswith(CHANGES):
        return False
    driver = context.dialect.loaded_dbapi
    what = shorten(statement, 80, placeholder=" ...")
    with _waiting_briefly(cursor, driver):
        for pause in PAUSES:
            time.sleep(pause)
            try:
                context.dialect.do_execute(cursor, statement, parameters, context)
            except driver.OperationalError as error:
                if error.args[0] != TIMED_OUT:
                    raise
            else:
                return True
            log.warning("table_is_held", change=what)
        raise TableHeldError(
            f"Others did not let go of the table for `{what}`: {_holder(cursor, driver)}; "
            "when that has ended, run this again."
        )


@contextmanager
def _waiting_briefly(cursor: Any, driver: Any) -> Iterator[None]:
    cursor.execute(f"SET SESSION lock_wait_timeout = {WAIT_SECONDS}")
    try:
        yield
    finally:
        with suppress(driver.Error):  # a connection that is gone waits for nothing
            cursor.execute("SET SESSION lock_wait_timeout = DEFAULT")


def _holder(cursor: Any, driver: Any) -> str:
    """Who holds a table, most likely: the oldest transaction, in this database first."""
    with suppress(driver.Error):  # it takes the right to PROCESS
        cursor.execute(OLDEST)
        if found := cursor.fetchone():
            number, user, host, began = found
            return (
                f"probably connection {number} of {user}@{host}, "
                f"whose transaction began at {began} by the server's clock"
            )
    return "the oldest transaction in information_schema.innodb_trx may be the one that holds it"
