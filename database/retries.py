"""Units of work that are done again: after a deadlock, or after an error that passes by."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from database.units import writing

# MariaDB reports 1467 instead of 1213 where the deadlock was about an AUTO_INCREMENT lock.
VICTIM = ((1213,), (1467,))
TRIES = 6
# Errors that another try need not meet: a deadlock, a lock that was not given in time, a connection
# that was lost or killed, a server that has no place or is stopping.
TRANSIENT = frozenset({1040, 1053, 1205, 1213, 1467, 1927, 2002, 2003, 2006, 2013, 2055})
SQLITE_BUSY, SQLITE_LOCKED = 5, 6
PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries
LONGEST_S = 60.0  # after which no further try begins, but for the second
T = TypeVar("T")


def written(work: Callable[[], T], *, pipelined: bool = False) -> T:
    """Do `work` as one unit of work that writes, and return what it returned.

    MariaDB may choose a transaction as a deadlock's victim at any statement; the work is then done
    again from its start, which is what it would have been asked for anyway.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with writing(pipelined=pipelined):
                return work()
        except OperationalError as error:
            is_victim = error.orig is not None and error.orig.args[:1] in VICTIM
            if not is_victim or attempt == TRIES:
                raise
            time.sleep(0.01 * attempt * random.uniform(0.5, 1.5))  # noqa: S311  no secret: it parts two who collide
    raise AssertionError("unreachable")


def persistently(work: Callable[[], T]) -> T:
    """Do `work`, and do it again after an error of the database that passes by.

    For callers who cannot ask again. `work` may have been done already when its answer was lost,
    so doing it twice must be harmless; it begins its own unit of work.
    """
    until = time.monotonic() + LONGEST_S
    for number, pause in enumerate(PAUSES):
        try:
            return work()
        except DBAPIError as error:
            is_late = number > 0 and time.monotonic() > until
            if is_late or not is_transient(error):
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  no secret: it parts two who collide
    return work()


def is_transient(error: DBAPIError) -> bool:
    """Tell whether another try may succeed: nothing is wrong with what was asked."""
    if error.connection_invalidated:
        return True
    original = error.orig
    if original is None:
        return False
    code = getattr(original, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (SQLITE_BUSY, SQLITE_LOCKED)
    return original.args[:1] != () and original.args[0] in TRANSIENT
