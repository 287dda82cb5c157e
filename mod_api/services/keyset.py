"""Pages by cursor: a page begins behind the row at which the one before it ended.

Rows that arrive in between neither repeat nor vanish, and a deep page costs what the first one
does. A cursor names the last row of its page by the values that the list is sorted by; it is signed
for one list with one set of filters, and refused anywhere else. Beside it `offset` goes on working.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, and_, bindparam, or_, type_coerce

from database import UtcDateTime, breaking_ties
from errors import Invalid
from mod_api.services.paging import LIMIT, OFFSET, Page, rows_with_total, with_total
from mod_test.cursors import BadCursor, open_sealed, seal


@dataclass(frozen=True, eq=False)
class Key:
    """One column of a list's order. The last key of an order must be unique and never NULL.

    NULL comes before everything else, as on SQLite and MariaDB alike.
    """

    column: Any
    descending: bool = False
    nullable: bool = False

    @property
    def plain(self) -> ColumnElement[Any]:
        """The column as the database has it.

        A time is then compared as it was written there: other programs write more or fewer digits
        of its fraction than we would.
        """
        is_time = isinstance(self.column.type, UtcDateTime)
        return type_coerce(self.column, String) if is_time else self.column

    def in_order(self, place: int) -> Any:
        column = breaking_ties(self.column) if place else self.column
        return column.desc() if self.descending else column.asc()


@dataclass(frozen=True)
class Window:
    """Which rows are asked for: `limit` of them from `offset`, or behind the row of `cursor`.

    `signing_key` is the server's secret.
    """

    limit: int
    signing_key: bytes
    offset: int = 0
    cursor: str | None = None


def select_page(
    statement: Select[Any],
    order: Sequence[Key],
    window: Window,
    *,
    total: int | Select[Any],
    kind: str,
    wanted: Mapping[str, Any],
    params: Mapping[str, Any] | None = None,
) -> Page[Row[Any]]:
    """The rows of `statement` in `window`, sorted by `order`, in one SQL statement.

    `total` is the exact number of all rows, or what counts them: then it is counted in the same
    statement (and once more for an empty page). `kind` names the list, `wanted` all that chooses
    its rows and their order: a cursor is good for the same again only. In a walk by cursor,
    `offset` in the answer counts the rows handed out before. `params` are the values of a statement
    that is composed once. Raises Invalid for any other cursor.
    """
    use = f"{kind}.{_digest(wanted)}"
    before, values = window.offset, None
    if window.cursor is not None:
        before, values = _opened(use, window, len(order))
    nulls = None if values is None else tuple(value is None for value in values)
    compose = _windowed if params is not None else _windowed.__wrapped__
    bound: dict[str, Any] = {**(params or {}), "page_limit": window.limit + 1}
    if values is None:
        bound["page_offset"] = before
    for place, value in enumerate(values or ()):
        if value is not None:
            bound[f"keyset_value_{place}"] = value
    found, total = rows_with_total(compose(statement, tuple(order), nulls, total), total, bound)
    rows, more = found[: window.limit], len(found) > window.limit
    following = before + len(rows)
    return Page(
        list(rows),
        {
            "limit": window.limit,
            "offset": before,
            "total": total,
            "next_offset": following if more else None,
            "next_cursor": _sealed(use, window, rows[-1], len(order), following) if more else None,
        },
    )


@functools.lru_cache(maxsize=256)
def _windowed(
    statement: Select[Any],
    order: tuple[Key, ...],
    nulls: tuple[bool, ...] | None,
    total: int | Select[Any],
) -> Select[Any]:
    """The statement of a page by offset (`nulls` None) or behind a row; `nulls` says which of the
    values of that row are NULL."""
    if nulls is None:
        statement = statement.offset(OFFSET)
    else:
        statement = statement.where(_behind(order, nulls))
    statement = (
        statement.add_columns(
            *(key.plain.label(f"keyset_{place}") for place, key in enumerate(order))
        )
        .order_by(*(key.in_order(place) for place, key in enumerate(order)))
        .limit(LIMIT)
    )
    return with_total(statement, total)


def _behind(order: Sequence[Key], nulls: Sequence[bool], place: int = 0) -> ColumnElement[bool]:
    """Whether a row comes after the one whose values are bound to `keyset_value_...`."""
    key, *rest = order[place:]
    column: ColumnElement[Any] = key.plain
    value = bindparam(f"keyset_value_{place}", type_=column.type)
    same: ColumnElement[bool]
    beyond: ColumnElement[bool] | None
    if nulls[place]:
        same = column.is_(None)
        beyond = None if key.descending else column.is_not(None)
    else:
        same = column == value
        beyond = column < value if key.descending else column > value
        if key.descending and key.nullable:
            beyond = or_(beyond, column.is_(None))
    if not rest:
        if beyond is None:
            raise ValueError("the last key of an order must not be NULL")
        return beyond
    tie = and_(same, _behind(order, nulls, place + 1))
    return tie if beyond is None else or_(beyond, tie)


def _sealed(use: str, window: Window, row: Row[Any], keys: int, following: int) -> str:
    values = [row._mapping[f"keyset_{place}"] for place in range(keys)]
    texts = [str(value) if isinstance(value, datetime) else value for value in values]
    return seal(use, {"k": texts, "o": following}, window.signing_key)


def _opened(use: str, window: Window, keys: int) -> tuple[int, list[Any]]:
    """How many rows came before, and the last one's values. Raises Invalid."""
    try:
        payload = open_sealed(use, window.cursor or "", window.signing_key)
    except BadCursor:
        raise Invalid.fields(cursor="Is no cursor of this list with these filters.") from None
    values = payload["k"]
    if len(values) != keys:
        raise Invalid.fields(cursor="Was made by another version of this server.")
    return payload["o"], values


def _digest(wanted: Mapping[str, Any]) -> str:
    text = json.dumps(wanted, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
