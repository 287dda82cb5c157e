"""Many numbers in a condition, as the spans that they make.

MariaDB plans a list of fifty numbers as fifty ranges, which takes longer than reading their rows.
Ids of what is shown together mostly follow each other: then they are one span.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_

Span = tuple[int, int]  # both ends are among its numbers
MOST_SPANS = 8
A_LIST = 0  # the shape of numbers that make too many spans


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in as few spans as there can be."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return tuple(found)


def padded(count: int) -> int:
    """The power of two that is not less."""
    return 1 << (count - 1).bit_length()


def within(column: Any, name: str, count: int) -> ColumnElement[bool]:
    """Whether a column is in one of `count` spans, which are the parameters of this name."""
    return or_(
        *(
            column.between(bindparam(f"{name}_{place}_first"), bindparam(f"{name}_{place}_last"))
            for place in range(padded(count))
        )
    )


def spans_as_params(name: str, spans: Sequence[Span]) -> dict[str, int]:
    """The parameters of `within`: spans stand more than once, so that there are few statements."""
    params: dict[str, int] = {}
    for place in range(padded(len(spans))):
        first, last = spans[min(place, len(spans) - 1)]
        params |= {f"{name}_{place}_first": first, f"{name}_{place}_last": last}
    return params


def among(name: str, numbers: Collection[int]) -> tuple[int, dict[str, Any]]:
    """The shape of some numbers, for which a statement is composed, and its parameters."""
    spans = joined((number, number) for number in numbers)
    if 0 < len(spans) <= MOST_SPANS:
        return padded(len(spans)), spans_as_params(name, spans)
    return A_LIST, {name: list(numbers)}


def is_among(column: Any, name: str, shape: int) -> ColumnElement[bool]:
    """Whether a column has one of the numbers that `among` made a shape and parameters of."""
    if shape:
        return within(column, name, shape)
    found: ColumnElement[bool] = column.in_(bindparam(name, expanding=True))
    return found
