"""Pages by cursor: a page begins behind the row at which the one before it ended.

Rows that arrive in between neither repeat nor vanish, and a deep page costs what the first one
does. A cursor names the last row of its page by the values that the list is sorted by; it is signed
for one list with one set of filters, and refused anywhere else. Beside it `offset` goes on working.
"""

import bisect
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    Subquery,
    and_,
    bindparam,
    or_,
    select,
    type_coerce,
    union_all,
)

from database import UtcDateTime, fetch, unindexed
from errors import Invalid
from mod_api.services.paging import (
    LIMIT,
    OFFSET,
    Page,
    counted_in_passing,
    rows_with_total,
    with_total,
)
from mod_test.cursors import BadCursor, open_sealed, seal

T = TypeVar("T")
Values = Mapping[str, Any]
REACH = bindparam("page_reach", type_=Integer)


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
        column = unindexed(self.column) if place else self.column
        return column.desc() if self.descending else column.asc()


@dataclass(frozen=True)
class PageRequest:
    """The rows that are asked for: `limit` of them from `offset`, or behind the row of `cursor`.

    `signing_key` is the server's secret.
    """

    limit: int
    signing_key: bytes
    offset: int = 0
    cursor: str | None = None


def select_page(
    statement: Select[Any],
    order: Sequence[Key],
    window: PageRequest,
    *,
    total: int | Select[Any],
    kind: str,
    wanted: Mapping[str, Any],
    params: Mapping[str, Any],
) -> Page[Row[Any]]:
    """The rows of `statement` in `window`, sorted by `order`, in one SQL statement.

    `total` is the exact number of all rows, or what counts them: then it is counted in the same
    statement (and once more for an empty page). `kind` names the list, `wanted` all that chooses
    its rows and their order: a cursor is good for the same again only. In a walk by cursor,
    `offset` in the answer counts the rows handed out before. `params` are the values of a statement
    that is composed once. Raises Invalid for any other cursor.
    """
    place = place_of(window, kind=kind, wanted=wanted, keys=len(order))
    bound = {**params, **place.params}
    counted = None if isinstance(total, int) else total
    composed = _windowed(statement, tuple(order), place.nulls, counted)
    found, total = rows_with_total(composed, total, bound)
    return place.page(found, total)


@dataclass(frozen=True)
class PagePosition:
    """The start of a page: behind `before` rows, by offset or behind the row with `values`."""

    window: PageRequest
    use: str
    keys: int
    before: int
    values: list[Any] | None

    @property
    def nulls(self) -> tuple[bool, ...] | None:
        return None if self.values is None else tuple(value is None for value in self.values)

    def _keys_of(self, row: Any) -> list[Any]:
        return [getattr(row, f"keyset_{place}") for place in range(self.keys)]

    @property
    def before_in_sql(self) -> int:
        return self.before if self.values is None else 0

    @property
    def params(self) -> dict[str, Any]:
        bound: dict[str, Any] = {"page_limit": self.window.limit + 1}
        if self.values is None:
            bound["page_offset"] = self.before
        for place, value in enumerate(self.values or ()):
            if value is not None:
                bound[f"keyset_value_{place}"] = value
        return bound

    def page(
        self,
        found: Sequence[T],
        total: int,
        *,
        values_of: Callable[[T], Sequence[Any]] | None = None,
    ) -> Page[T]:
        """The page of the rows that were found, of which there may be one too many.

        `values_of` gives the values that a row is sorted by, unless it has them itself.
        """
        window = self.window
        rows, more = found[: window.limit], len(found) > window.limit
        following = self.before + len(rows)
        cursor = None
        if more:
            values = (values_of or self._keys_of)(rows[-1])
            cursor = _sealed(self.use, window, values, following)
        return Page(
            list(rows),
            {
                "limit": window.limit,
                "offset": self.before,
                "total": total,
                "next_offset": following if more else None,
                "next_cursor": cursor,
            },
        )

    def page_among(self, rows: Sequence[T], values_of: Callable[[T], Sequence[Any]]) -> Page[T]:
        """The page of rows that are all at hand, in ascending order of the values that `values_of`
        gives."""
        if self.values is None:
            found = rows[self.before :]
        else:
            values = tuple(self.values)
            found = rows[bisect.bisect_right(rows, values, key=lambda row: tuple(values_of(row))) :]
        return self.page(found, len(rows), values_of=values_of)


def place_of(
    window: PageRequest, *, kind: str, wanted: Mapping[str, Any], keys: int
) -> PagePosition:
    """Where a page begins in a list that is sorted by so many values; `kind` and `wanted` as in
    `select_page`. Raises Invalid for a cursor of another list."""
    use = f"{kind}.{_digest(wanted)}"
    before, values = window.offset, None
    if window.cursor is not None:
        before, values = _opened(use, window, keys)
    return PagePosition(window, use, keys, before, values)


@dataclass(frozen=True, eq=False)
class Source:
    """Some rows of a list: a statement of the columns that identify them, and what sorts them.

    `is_joined`: its rows come out of a join, not along an index that sorts them.
    """

    statement: Select[Any]
    order: tuple[Key, ...]
    is_joined: bool = False


@dataclass(frozen=True, eq=False)
class Listing:
    """A list that is made of several sources, composed once.

    `shown` makes of a page of the sources' columns what is to be selected.
    """

    sources: tuple[Source, ...]
    shown: Callable[[Subquery], Select[Any]]


def select_listed(
    listing: Listing,
    window: PageRequest,
    *,
    total: Callable[[], int],
    kind: str,
    wanted: Mapping[str, Any],
    params: Values,
) -> Page[Row[Any]]:
    """The rows of a list in `window`, sorted as its sources are, in one SQL statement.

    Each source hands out no more rows than the page may need, along an index where it has one.
    `total` counts all rows. The rest as in `select_page`.
    """
    keys = listing.sources[0].order
    place = place_of(window, kind=kind, wanted=wanted, keys=len(keys))
    bound = {**params, **place.params, "page_reach": place.before_in_sql + window.limit + 1}
    return place.page(fetch(_merged(listing, place.nulls), bound), total())


@functools.lru_cache(maxsize=512)
def _merged(listing: Listing, nulls: tuple[bool, ...] | None) -> Select[Any]:
    """The statement of a page by offset (`nulls` None) or behind a row."""
    keys = listing.sources[0].order
    names = [f"keyset_{place}" for place in range(len(keys))]

    def in_order(rows: Subquery) -> list[Any]:
        columns = [(rows.c[name], key.descending) for name, key in zip(names, keys, strict=True)]
        return [column.desc() if descending else column.asc() for column, descending in columns]

    if len(listing.sources) == 1:
        page = _reaching(listing.sources[0], nulls).limit(LIMIT)
    else:
        parts = [_reaching(source, nulls).limit(REACH).subquery() for source in listing.sources]
        merged = union_all(*(select(part) for part in parts)).subquery("merged")
        page = select(merged).order_by(*in_order(merged)).limit(LIMIT)
    if nulls is None:
        page = page.offset(OFFSET)
    rows = page.subquery("page")
    shown = listing.shown(rows).add_columns(*(rows.c[name] for name in names))
    return shown.order_by(*in_order(rows))


def _reaching(source: Source, nulls: tuple[bool, ...] | None) -> Select[Any]:
    statement, order = source.statement, source.order
    if nulls is not None:
        statement = statement.where(_behind(order, nulls))
    return statement.add_columns(
        *(key.plain.label(f"keyset_{place}") for place, key in enumerate(order))
    ).order_by(*(key.in_order(place if source.is_joined else 0) for place, key in enumerate(order)))


@functools.lru_cache(maxsize=256)
def _windowed(
    statement: Select[Any],
    order: tuple[Key, ...],
    nulls: tuple[bool, ...] | None,
    total: Select[Any] | None,
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
    if total is None:
        return statement
    # Behind a row there are fewer than in all.
    return counted_in_passing(statement) if nulls is None else with_total(statement, total)


def _behind(order: Sequence[Key], nulls: Sequence[bool], place: int = 0) -> ColumnElement[bool]:
    """Return whether a row comes after the one whose values are bound to `keyset_value_...`."""
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


def _sealed(use: str, window: PageRequest, values: Sequence[Any], following: int) -> str:
    texts = [_as_text(value) if isinstance(value, datetime) else value for value in values]
    return seal(use, {"k": texts, "o": following}, window.signing_key)


def _as_text(moment: datetime) -> str:
    """A moment as the database compares it: without its zone."""
    return str(moment.replace(tzinfo=None))


def _opened(use: str, window: PageRequest, keys: int) -> tuple[int, list[Any]]:
    """Return how many rows came before, and the last one's values. Raises Invalid."""
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
