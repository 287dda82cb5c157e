"""Lists of any length, page by page."""

from collections.abc import Iterator
from typing import Any

from ccextractor_ci.transport import Transport

PAGE = 100


def items(
    transport: Transport, path: str, query: dict[str, Any] | None = None, *, most: int | None = None
) -> Iterator[dict[str, Any]]:
    """The entries of the list at `path`, at most `most`, as JSON objects.

    A page is asked for when it is needed. Raises a Failure.
    """
    asked = dict(query or {})
    left = most
    while left is None or left > 0:
        asked["limit"] = PAGE if left is None else min(PAGE, left)
        page = transport.json("GET", path, asked)
        yield from page["data"]
        if left is not None:
            left -= len(page["data"])
        pagination = page["pagination"]
        if pagination.get("next_cursor") is not None:
            asked.pop("offset", None)
            asked["cursor"] = pagination["next_cursor"]
        elif pagination.get("next_offset") is not None:
            asked["offset"] = pagination["next_offset"]
        else:
            return
