"""A page of rows and where the next one starts."""

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

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
