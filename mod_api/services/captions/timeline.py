"""How the times of one file relate to those of another: a shift, or a rate with a shift."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

_ALL_PAIRS_UP_TO = 40
_SLOPES_AT_MOST = 2_000
_LOWEST_RATE, _HIGHEST_RATE = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Timeline:
    """`at` maps an expected time to the actual one; both are milliseconds."""

    rate: float = 1.0
    shift_ms: float = 0.0

    def at(self, time_ms: float) -> float:
        """Where an expected time lies in the actual file."""
        return time_ms * self.rate + self.shift_ms


def commonest_shift(points: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The commonest difference of (expected, actual) pairs and how many pairs have it.

    Of several equally common ones, the smallest. Raises ValueError for no pairs.
    """
    counts = Counter(actual - expected for expected, actual in points)
    return max(counts.items(), key=lambda item: (item[1], -abs(item[0]), item[0]))


def fitted(points: Sequence[tuple[int, int]]) -> Timeline | None:
    """The line through (expected, actual) pairs that the most of them are near.

    It is the median of the slopes between pairs, which outliers up to a quarter of all do
    not move. None where the pairs allow no plausible rate.
    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in _couples(points)
        if later[0] != earlier[0]
    ]
    if not slopes:
        return None
    rate = median(slopes)
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        return None
    return Timeline(rate, median(actual - rate * expected for expected, actual in points))


def refined(points: Sequence[tuple[int, int]]) -> Timeline | None:
    """The line of least squares through (expected, actual) pairs that are near one line."""
    middle = sum(expected for expected, _ in points) / len(points)
    height = sum(actual for _, actual in points) / len(points)
    spread = sum((expected - middle) ** 2 for expected, _ in points)
    if spread == 0:
        return None
    rate = sum((e - middle) * (a - height) for e, a in points) / spread
    return Timeline(rate, height - rate * middle)


def _couples(
    points: Sequence[tuple[int, int]],
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of points: all where there are few, else each with one half a file away."""
    if len(points) <= _ALL_PAIRS_UP_TO:
        return [(p, q) for at, p in enumerate(points) for q in points[at + 1 :]]
    half = len(points) // 2
    step = max(1, half // _SLOPES_AT_MOST)
    return [(points[at], points[at + half]) for at in range(0, half, step)]
