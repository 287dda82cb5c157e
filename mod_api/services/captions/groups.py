"""Groups of cues that belong together, and the gaps between them."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Places in the expected and in the actual file.
Pairs = list[tuple[int, int]]


class Group(NamedTuple):
    """Cues [expected_from, expected_to) that belong to cues [actual_from, actual_to)."""

    expected_from: int
    expected_to: int
    actual_from: int
    actual_to: int


def inside(gap: Group, i: int, i_to: int, j: int, j_to: int) -> Group:
    """A group given by its places in a gap."""
    expected_from, actual_from = gap.expected_from, gap.actual_from
    return Group(expected_from + i, expected_from + i_to, actual_from + j, actual_from + j_to)


def alone(gap: Group) -> Iterator[Group]:
    """Every cue of a gap by itself: missing ones, then extra ones."""
    for at in range(gap.expected_from, gap.expected_to):
        yield Group(at, at + 1, gap.actual_from, gap.actual_from)
    for at in range(gap.actual_from, gap.actual_to):
        yield Group(gap.expected_to, gap.expected_to, at, at + 1)


def divided(gap: Group, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Group, bool]]:
    """Pairs as groups (true), and the gaps between them (false)."""
    expected_from, actual_from = gap.expected_from, gap.actual_from
    for expected_at, actual_at in pairs:
        if (expected_from, actual_from) != (expected_at, actual_at):
            yield Group(expected_from, expected_at, actual_from, actual_at), False
        expected_from, actual_from = expected_at + 1, actual_at + 1
        yield Group(expected_at, expected_from, actual_at, actual_from), True
    if (expected_from, actual_from) != (gap.expected_to, gap.actual_to):
        yield Group(expected_from, gap.expected_to, actual_from, gap.actual_to), False


def increasing(pairs: Pairs) -> Pairs:
    """The longest choice of pairs in which both sides increase (each side occurs once)."""
    pairs = sorted(pairs)
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for at, (_, actual_at) in enumerate(pairs):
        place = bisect_left(ends, actual_at)
        ends[place : place + 1] = [actual_at]
        last[place : place + 1] = [at]
        before.append(last[place - 1] if place else -1)
    chosen = []
    at = last[-1] if last else -1
    while at >= 0:
        chosen.append(pairs[at])
        at = before[at]
    return chosen[::-1]
