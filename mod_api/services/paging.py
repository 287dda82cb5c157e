"""A page of rows and where the next one starts."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Integer, Select, bindparam, func, literal, select
from sqlalchemy import Row as SqlRow

from database import fetch, fetch_value

Row = TypeVar("Row")
Shown = TypeVar("Shown")

LIMIT = bindparam("page_limit", type_=Integer)
OFFSET = bindparam("page_offset", type_=Integer)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page: its rows, the exact number of all rows, and what asks for the next page."""

    data: list[Row]
    pagination: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.more[name]
        except KeyError:
            raise AttributeError(name) from None

    def showing(self, data: "list[Shown]") -> "Page[Shown]":
        """The same page with other rows in the place of these."""
        return Page(data, self.pagination, self.more)


def select_page(
    statement: Select[Any],
    order: Sequence[Any],
    *,
    limit: int,
    offset: int,
    total: int | Select[Any] | None = None,
    params: Mapping[str, Any],
) -> Page[SqlRow[Any]]:
    """The rows of `statement` from `offset` on, in a total order, with the exact number of all.

    `total` is that number, or counts them where that is cheaper than counting the statement's own
    rows. The statement is composed once, and what is made of it is kept, too; `params` are its
    values.
    """
    if total is None:
        total = counting(statement)
    counted = None if isinstance(total, int) else total
    rows, number = rows_with_total(
        _paged(statement, tuple(order), counted),
        total,
        {**params, "page_limit": limit, "page_offset": offset},
    )
    return page(list(rows), total=number, limit=limit, offset=offset)


def rows_with_total(
    statement: Select[Any], total: int | Select[Any], params: Mapping[str, Any]
) -> tuple[Sequence[SqlRow[Any]], int]:
    """The rows of `statement` (`with_total`), and how many there are on all pages; counted on its
    own only where there are no rows."""
    rows = fetch(statement, params)
    if isinstance(total, int):
        return rows, total
    if rows:
        return rows, rows[0].total_rows
    return rows, fetch_value(total, params) or 0


def with_total(statement: Select[Any], total: Select[Any]) -> Select[Any]:
    """The statement with the number of all rows beside each, counted once."""
    return statement.add_columns(total.correlate(None).scalar_subquery().label("total_rows"))


def counted_in_passing(statement: Select[Any]) -> Select[Any]:
    """The statement with the number of all rows beside each, before any is left out of a page."""
    return statement.add_columns(func.count().over().label("total_rows"))


@functools.lru_cache(maxsize=256)
def counting(statement: Select[Any]) -> Select[Any]:
    """Return the statement that counts the rows of one that has a `select_from`."""
    rows = statement.with_only_columns(literal(1).label("one"))
    return select(func.count()).select_from(rows.subquery("counted_rows"))


@functools.lru_cache(maxsize=256)
def _paged(
    statement: Select[Any], order: tuple[Any, ...], total: Select[Any] | None
) -> Select[Any]:
    paged = statement.order_by(*order).limit(LIMIT).offset(OFFSET)
    return paged if total is None else with_total(paged, total)


def page(rows: list[Row], *, total: int, limit: int, offset: int, **more: Any) -> Page[Row]:
    """A page by offset; `next_offset` is null on the last one."""
    following = offset + len(rows)
    return Page(
        rows,
        {
            "limit": limit,
            "offset": offset,
            "total": total,
            "next_offset": following if rows and following < total else None,
        },
        more,
    )
