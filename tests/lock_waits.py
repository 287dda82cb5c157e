"""Who waits for whom in MariaDB, as a test can observe it."""

from tests.patience import until
from tests.raw import Raw

Wait = tuple[int, object]
# InnoDB's own tables are not renewed while they are read more often than every 0.1 s.
PAUSE_SECONDS = 0.25


def waiting(raw: Raw) -> list[Wait]:
    """Return who waits for a lock of this database's tables: their connections, and since when."""
    return raw.execute(
        "SELECT t.trx_mysql_thread_id, t.trx_wait_started FROM information_schema.innodb_trx t "
        "JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id "
        "WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
    )


def first_wait(raw: Raw) -> Wait:
    """Return the only wait, once there is one."""
    until(lambda: len(waiting(raw)) == 1, pause=PAUSE_SECONDS)
    (found,) = waiting(raw)
    return found


def until_it_waits_again(raw: Raw, first: Wait) -> None:
    """Wait until the first try has failed and another one waits."""
    until(lambda: waiting(raw) not in ([], [first]), pause=PAUSE_SECONDS)
