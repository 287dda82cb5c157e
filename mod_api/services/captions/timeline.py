"""How the times of one file relate to those of another: a shift, or a rate with a shift."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from mod_api.services.captions.formats import Cue

# Pairs of an expected and an actual time, in milliseconds.
Points = list[tuple[int, int]]

_Ordered = TypeVar("_Ordered", float, tuple[float, int])

_ON_LINE_MS = 50
_EXACT_MS = 3
_ALL_PAIRS_UP_TO = 40
_SLOPES_AT_MOST = 2_000
_LOWEST_RATE, _HIGHEST_RATE = 0.5, 2.0
# Fewer points than these may be a coincidence: then all cues have a say in what the shift is.
_FEW_POINTS = 8
_TRIED_CUES = 2_000
_HARDLY_BETTER = 1.1
_BY_CHANCE = 0.1


@dataclass(frozen=True, slots=True)
class Timeline:
    """`at` maps an expected time to the actual one; both are milliseconds."""

    rate: float = 1.0
    shift_ms: float = 0.0

    def at(self, time_ms: float) -> float:
        """Where an expected time lies in the actual file."""
        return time_ms * self.rate + self.shift_ms

    @property
    def tolerance_ms(self) -> int:
        """How far from the line times may lie that were moved by it."""
        return _EXACT_MS if self.rate == 1.0 else _ON_LINE_MS

    @property
    def is_identity(self) -> bool:
        """Whether no time is moved."""
        return self.rate == 1.0 and self.shift_ms == 0


def common_timeline(
    expected: Sequence[Cue],
    actual: Sequence[Cue],
    expected_keys: Sequence[str],
    actual_keys: Sequence[str],
) -> Timeline:
    """Where the cues of one file are found in the other, before they are aligned."""
    points = _points(expected, actual, expected_keys, actual_keys)
    if len(points) >= _FEW_POINTS:
        shift, count = commonest_shift(points)
        if count * 2 >= len(points):
            return Timeline(shift_ms=shift)
        line = fitted(points)
        if line and sum(abs(line.at(e) - a) <= _ON_LINE_MS for e, a in points) * 2 >= len(points):
            return line
    by_text = _likeliest_shift(
        [(key, cue.start_ms) for key, cue in zip(expected_keys, expected, strict=True)],
        [(key, cue.start_ms) for key, cue in zip(actual_keys, actual, strict=True)],
        points,
    )
    if by_text is not None:
        return Timeline(shift_ms=by_text)
    by_time = _likeliest_shift(
        [("", cue.start_ms) for cue in expected], [("", cue.start_ms) for cue in actual], points
    )
    return Timeline(shift_ms=by_time or 0)


def _points(
    expected: Sequence[Cue],
    actual: Sequence[Cue],
    expected_keys: Sequence[str],
    actual_keys: Sequence[str],
) -> Points:
    """Starts of cues whose text occurs equally often in both files, in their order."""
    starts: dict[str, list[int]] = defaultdict(list)
    for key, cue in zip(expected_keys, expected, strict=True):
        if cue.is_timed:
            starts[key].append(cue.start_ms)
    others: dict[str, list[int]] = defaultdict(list)
    for key, cue in zip(actual_keys, actual, strict=True):
        if cue.is_timed and key in starts:
            others[key].append(cue.start_ms)
    return [
        point
        for key, found in others.items()
        if len(starts[key]) == len(found)
        for point in zip(starts[key], found, strict=True)
    ]


def _likeliest_shift(
    expected: list[tuple[str, int]], actual: list[tuple[str, int]], points: Points
) -> int | None:
    """The shift with which the most cues meet one of the same text; of equal ones the smallest.

    None where no shift is clearly better than chance. Tried are the commonest shifts of
    `points`, and those between the first and last few cues.
    """
    if not expected or not actual:
        return None
    commonest = Counter(actual_ms - expected_ms for expected_ms, actual_ms in points)
    shifts = {0, *(shift for shift, _ in commonest.most_common(_FEW_POINTS))}
    for few in (slice(0, 3), slice(-3, None)):
        for _, start_ms in expected[few]:
            shifts |= {other_ms - start_ms for _, other_ms in actual[few]}
    there = set(actual)
    tried = expected[:: max(1, len(expected) // _TRIED_CUES)]

    def met(shift: int) -> float:
        found = sum((key, start_ms + shift) in there for key, start_ms in tried)
        return found if shift else found * _HARDLY_BETTER

    best = max(sorted(shifts, key=lambda shift: (abs(shift), shift)), key=met)
    return best if met(best) > len(tried) * _BY_CHANCE else None


def commonest_shift(points: Points) -> tuple[int, int]:
    """The commonest difference of (expected, actual) pairs and how many pairs have it.

    Of several equally common ones, the smallest. Raises ValueError for no pairs.
    """
    counts = Counter(actual - expected for expected, actual in points)
    return max(counts.items(), key=lambda item: (item[1], -abs(item[0]), item[0]))


def fitted(points: Points) -> Timeline | None:
    """The line through (expected, actual) pairs that the most of them are near.

    It is the median of the slopes between pairs, which outliers up to a quarter of all do
    not move. None where the pairs allow no plausible rate.
    """
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in _couples(sorted(points))
        if later[0] != earlier[0]
    ]
    if not slopes:
        return None
    rate = median(slopes)
    if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
        return None
    return Timeline(rate, median(actual - rate * expected for expected, actual in points))


def refined(points: Points) -> Timeline | None:
    """The line of least squares through (expected, actual) pairs that are near one line."""
    middle = sum(expected for expected, _ in points) / len(points)
    height = sum(actual for _, actual in points) / len(points)
    spread = sum((expected - middle) ** 2 for expected, _ in points)
    if spread == 0:
        return None
    rate = sum((e - middle) * (a - height) for e, a in points) / spread
    return Timeline(rate, height - rate * middle)


def _couples(points: Points) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of points: all where there are few, else each with one half a file away."""
    if len(points) <= _ALL_PAIRS_UP_TO:
        return [(p, q) for at, p in enumerate(points) for q in points[at + 1 :]]
    half = len(points) // 2
    step = max(1, half // _SLOPES_AT_MOST)
    return [(points[at], points[at + half]) for at in range(0, half, step)]


def near(places: Sequence[_Ordered], wanted: _Ordered, most: int) -> range:
    """Where in sorted `places` those around `wanted` are, at most about `most` of them."""
    place = bisect_left(places, wanted)
    return range(max(0, place - most // 2), min(len(places), place + most // 2 + 1))
