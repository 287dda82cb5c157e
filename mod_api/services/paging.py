"""A page of rows and where the next one starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Row as SqlRow
from sqlalchemy import Select, func, literal, select

from database import db

Row = TypeVar("Row")
Shown = TypeVar("Shown")


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


def rows_with_total(
    statement: Select[Any], total: int | Select[Any]
) -> tuple[Sequence[SqlRow[Any]], int]:
    """The rows of `statement`, and how many there are on all pages, in one SQL statement where
    there are rows. `total` is their number, or what counts them."""
    if isinstance(total, int):
        return db.session.execute(statement).all(), total
    counting = total.correlate(None).scalar_subquery()
    rows = db.session.execute(statement.add_columns(counting.label("total_rows"))).all()
    if rows:
        return rows, rows[0].total_rows
    return rows, db.session.scalar(total) or 0


def select_page(
    statement: Select[Any],
    order: Sequence[Any],
    *,
    limit: int,
    offset: int,
    total: Select[Any] | None = None,
) -> Page[SqlRow[Any]]:
    """The rows of `statement` from `offset` on, in a total order, with the exact number of all.

    `total` counts them where that is cheaper than counting the statement's own rows.
    """
    if total is None:
        total = counting(statement)
    rows, number = rows_with_total(statement.order_by(*order).limit(limit).offset(offset), total)
    return page(list(rows), total=number, limit=limit, offset=offset)


def counting(statement: Select[Any]) -> Select[Any]:
    """What counts the rows of a statement, which says what it selects from (`select_from`)."""
    rows = statement.with_only_columns(literal(1).label("one"))
    return select(func.count()).select_from(rows.subquery("counted_rows"))


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
