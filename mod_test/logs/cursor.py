"""The cursor of a log page: a byte offset, good for one log and one question only."""

from mod_test.cursors import BadCursor, open_sealed, seal
from mod_test.logs.filters import Filters
from mod_test.logs.pages import Order

_KIND = "log"


def seal_offset(
    offset: int, *, run_id: int | str, order: Order, filters: Filters, key: bytes
) -> str:
    """The cursor (at most 255 characters) with which reading goes on from `offset`.

    `run_id` is a run's, or the uuid of a job.
    """
    payload = {"run": run_id, "at": offset, "order": order, "filters": filters.digest()}
    return seal(_KIND, payload, key)


def open_offset(
    cursor: str, *, run_id: int | str, order: Order, filters: Filters, key: bytes
) -> int:
    """The byte offset in the cursor.

    Raises BadCursor for a cursor that was made up or altered, and for one of another run,
    order or set of filters.
    """
    payload = open_sealed(_KIND, cursor, key)
    asked = {"run": run_id, "order": order, "filters": filters.digest()}
    offset = payload.pop("at", None)
    if payload != asked or not isinstance(offset, int) or offset < 0:
        raise BadCursor("the cursor belongs to another run, order or set of filters")
    return offset
