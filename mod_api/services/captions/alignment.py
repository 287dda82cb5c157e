"""Which cues of two files belong together.

Ever weaker evidence is used on ever smaller gaps: texts that occur once in both files, equal
texts at about the same time, equal words distributed over other cues, equal times, and at
last a table of how well each cue of a gap matches each. Whatever the input, the work is
bounded: gaps too large for the table are paired by time alone, which the result admits.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mod_api.services.captions.cues import Cue
from mod_api.services.captions.matching import best_matches
from mod_api.services.captions.timeline import Timeline, commonest_shift, fitted

_NEAR_MS = 100
_SAME_MS = 3
_ON_LINE_MS = 50
_MAX_CELLS = 200_000
# So few unique texts may be a coincidence: then times have a say in what the shift is.
_FEW_ANCHORS = 8
# Texts that occur once say little when they are less than this part of all.
_LITTLE = 4
_HARDLY_BETTER = 1.1

_Pairs = list[tuple[int, int]]


class Group(NamedTuple):
    """Cues [expected_from, expected_to) that belong to cues [actual_from, actual_to)."""

    expected_from: int
    expected_to: int
    actual_from: int
    actual_to: int


@dataclass(frozen=True, slots=True)
class Alignment:
    """Groups in the order of both files; `complete` is false where work had to be cut short."""

    groups: list[Group]
    complete: bool


@dataclass(slots=True)
class _Work:
    expected: Sequence[Cue]
    actual: Sequence[Cue]
    expected_keys: list[str]
    actual_keys: list[str]
    timeline: Timeline
    cells_left: int = _MAX_CELLS
    complete: bool = True


def align(expected: Sequence[Cue], actual: Sequence[Cue]) -> Alignment:
    """Find which cues belong together. Cues keep their order; none is in two groups."""
    work = _Work(
        expected, actual, [_key(c) for c in expected], [_key(c) for c in actual], Timeline()
    )
    whole = Group(0, len(expected), 0, len(actual))
    anchors = _increasing(_texts_that_occur_once(work, whole))
    work.timeline = _timeline(work, anchors)
    fewer = min(len(expected), len(actual))
    times: _Pairs = []
    if len(anchors) * _LITTLE < fewer:
        # Where most texts changed, the few that are equal may be so by chance: times say more.
        times = _increasing(_same_times(work, whole, 0.0))
    groups: list[Group] = []
    for part, is_group in _divided(whole, times if len(times) * 2 >= fewer else anchors):
        groups += [part] if is_group else _resolved(work, part, 0)
    return Alignment(groups, work.complete)


def _key(cue: Cue) -> str:
    """What a text is recognised by: its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, cue.plain)).casefold() or cue.plain


def _resolved(work: _Work, gap: Group, level: int) -> Iterator[Group]:
    """The groups of a gap, by the evidence of `level` and all weaker kinds."""
    if gap.expected_from == gap.expected_to or gap.actual_from == gap.actual_to:
        yield from _alone(gap)
    elif level == len(_EVIDENCE):
        yield from _matched(work, gap)
    else:
        for part, is_group in _EVIDENCE[level](work, gap):
            if is_group:
                yield part
            else:
                yield from _resolved(work, part, level + 1)


def _alone(gap: Group) -> Iterator[Group]:
    for at in range(gap.expected_from, gap.expected_to):
        yield Group(at, at + 1, gap.actual_from, gap.actual_from)
    for at in range(gap.actual_from, gap.actual_to):
        yield Group(gap.expected_to, gap.expected_to, at, at + 1)


def _divided(gap: Group, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[Group, bool]]:
    """Pairs as groups (true), and the gaps between them (false)."""
    expected_from, actual_from = gap.expected_from, gap.actual_from
    for expected_at, actual_at in pairs:
        if (expected_from, actual_from) != (expected_at, actual_at):
            yield Group(expected_from, expected_at, actual_from, actual_at), False
        expected_from, actual_from = expected_at + 1, actual_at + 1
        yield Group(expected_at, expected_from, actual_at, actual_from), True
    if (expected_from, actual_from) != (gap.expected_to, gap.actual_to):
        yield Group(expected_from, gap.expected_to, actual_from, gap.actual_to), False


def _increasing(pairs: _Pairs) -> _Pairs:
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


def _texts_that_occur_once(work: _Work, gap: Group) -> _Pairs:
    once = _only(work.actual_keys, gap.actual_from, gap.actual_to)
    return [
        (at, once[key])
        for key, at in _only(work.expected_keys, gap.expected_from, gap.expected_to).items()
        if key in once
    ]


def _only(keys: list[str], start: int, end: int) -> dict[str, int]:
    found: dict[str, int] = {}
    repeated: set[str] = set()
    for at in range(start, end):
        if keys[at] in found:
            repeated.add(keys[at])
        found[keys[at]] = at
    return {key: at for key, at in found.items() if key not in repeated}


def _by_text(work: _Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    return _divided(gap, _increasing(_texts_that_occur_once(work, gap)))


def _by_text_and_time(work: _Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    found = [_increasing(_same_text_near(work, gap, off)) for off in _offsets(work, gap)]
    pairs = max(found, key=len)
    return _divided(gap, pairs)


def _by_time(work: _Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    found = [_increasing(_same_times(work, gap, off)) for off in _offsets(work, gap)]
    pairs = max(found, key=len)
    return _divided(gap, pairs)


def _by_words(work: _Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    """Where all words of a gap are the same in order, the cues that share them; else the gap."""
    expected = [_letters(cue) for cue in work.expected[gap.expected_from : gap.expected_to]]
    actual = [_letters(cue) for cue in work.actual[gap.actual_from : gap.actual_to]]
    if "".join(expected) != "".join(actual):
        yield gap, False
        return
    i = j = 0
    while i < len(expected) and j < len(actual):
        first_i, first_j = i, j
        # How many letters the expected side of the group is ahead.
        ahead = len(expected[i]) - len(actual[j])
        # Cues without words belong to each other, not to what stands beside them.
        i += bool(expected[i]) or not actual[j]
        j += bool(actual[j]) or not expected[first_i]
        while ahead and i > first_i and j > first_j:
            if ahead < 0:
                ahead, i = ahead + len(expected[i]), i + 1
            else:
                ahead, j = ahead - len(actual[j]), j + 1
        yield _inside(gap, first_i, i, first_j, j), True
    for part in _alone(_inside(gap, i, len(expected), j, len(actual))):
        yield part, True


def _letters(cue: Cue) -> str:
    return "".join(cue.plain.split())


def _inside(gap: Group, i: int, i_to: int, j: int, j_to: int) -> Group:
    """A group given by its places in a gap."""
    expected_from, actual_from = gap.expected_from, gap.actual_from
    return Group(expected_from + i, expected_from + i_to, actual_from + j, actual_from + j_to)


def _same_text_near(work: _Work, gap: Group, offset: float) -> _Pairs:
    """Pairs of equal text whose starts are near; where a text is repeated, in order of time."""
    starts: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for at in range(gap.actual_from, gap.actual_to):
        starts[work.actual_keys[at]].append((work.actual[at].start_ms, at))
    wanted: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for at in range(gap.expected_from, gap.expected_to):
        if work.expected_keys[at] in starts:
            start = work.timeline.at(work.expected[at].start_ms) + offset
            wanted[work.expected_keys[at]].append((start, at))
    pairs: _Pairs = []
    for key, times in wanted.items():
        pairs += _near(sorted(times), sorted(starts[key]))
    return pairs


def _near(expected: list[tuple[float, int]], actual: list[tuple[float, int]]) -> _Pairs:
    pairs: _Pairs = []
    i = j = 0
    while i < len(expected) and j < len(actual):
        apart = expected[i][0] - actual[j][0]
        if abs(apart) <= _NEAR_MS:
            pairs.append((expected[i][1], actual[j][1]))
            i, j = i + 1, j + 1
        elif apart < 0:
            i += 1
        else:
            j += 1
    return pairs


def _same_times(work: _Work, gap: Group, offset: float) -> _Pairs:
    """Pairs with the same start and end, whatever their text."""
    cues = sorted((work.actual[at].start_ms, at) for at in range(gap.actual_from, gap.actual_to))
    pairs: _Pairs = []
    place = 0
    timed = sorted(
        (work.timeline.at(work.expected[at].start_ms) + offset, at)
        for at in range(gap.expected_from, gap.expected_to)
    )
    for start, at in timed:
        while place < len(cues) and cues[place][0] < start - _SAME_MS:
            place += 1
        if place == len(cues) or cues[place][0] > start + _SAME_MS:
            continue
        end = work.timeline.at(work.expected[at].end_ms) + offset
        if abs(work.actual[cues[place][1]].end_ms - end) <= _SAME_MS:
            pairs.append((at, cues[place][1]))
            place += 1
    return pairs


def _offsets(work: _Work, gap: Group) -> tuple[float, ...]:
    """How far from the common timeline cues may lie here: as the neighbours do, or not at all."""
    local = 0.0
    if gap.expected_from and gap.actual_from:
        local = _off(work, gap.expected_from - 1, gap.actual_from - 1)
    elif gap.expected_to < len(work.expected) and gap.actual_to < len(work.actual):
        local = _off(work, gap.expected_to, gap.actual_to)
    return (local, 0.0) if local else (0.0,)


def _off(work: _Work, expected_at: int, actual_at: int) -> float:
    expected = work.timeline.at(work.expected[expected_at].start_ms)
    return work.actual[actual_at].start_ms - expected


def _matched(work: _Work, gap: Group) -> Iterator[Group]:
    expected = work.expected[gap.expected_from : gap.expected_to]
    actual = work.actual[gap.actual_from : gap.actual_to]
    offset = _offsets(work, gap)[0]
    where = [
        (work.timeline.at(cue.start_ms) + offset, work.timeline.at(cue.end_ms) + offset)
        for cue in expected
    ]
    cells = len(expected) * len(actual)
    if cells <= work.cells_left:
        work.cells_left -= cells
        for match in best_matches(expected, actual, where):
            yield _inside(gap, *match)
        return
    work.complete = False
    pairs = [(gap.expected_from + i, gap.actual_from + j) for i, j in _overlapping(where, actual)]
    for part, is_group in _divided(gap, pairs):
        if is_group:
            yield part
        else:
            yield from _alone(part)


def _overlapping(where: list[tuple[float, float]], actual: Sequence[Cue]) -> _Pairs:
    """Pairs whose times overlap, each cue with the first that it can have."""
    pairs: _Pairs = []
    i = j = 0
    while i < len(where) and j < len(actual):
        (start, end), cue = where[i], actual[j]
        if start < cue.end_ms and cue.start_ms < end:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif start < cue.start_ms:
            i += 1
        else:
            j += 1
    return pairs


def _timeline(work: _Work, anchors: _Pairs) -> Timeline:
    """What the times of one file are in the other, judged by cues that surely belong together."""
    points = [(work.expected[i].start_ms, work.actual[j].start_ms) for i, j in anchors]
    if len(points) < _FEW_ANCHORS:
        return Timeline(shift_ms=_likeliest_shift(work, points))
    shift, count = commonest_shift(points)
    if count * 2 >= len(points):
        return Timeline(shift_ms=shift)
    line = fitted(points)
    if line and sum(abs(line.at(e) - a) <= _ON_LINE_MS for e, a in points) * 2 >= len(points):
        return line
    return Timeline(shift_ms=_likeliest_shift(work, [(0, shift)]))


def _likeliest_shift(work: _Work, points: _Pairs) -> int:
    """The shift with which the most cues meet one of the same text; of equal ones the smallest.

    None is believed that is hardly better than no shift: repeated texts meet by chance.
    Tried are the shifts of `points` and those between the first and last few cues.
    """
    shifts = {0, *(actual - expected for expected, actual in points)}
    for few in (slice(0, 3), slice(-3, None)):
        for cue in work.expected[few]:
            shifts |= {other.start_ms - cue.start_ms for other in work.actual[few]}
    there = {(key, cue.start_ms) for key, cue in zip(work.actual_keys, work.actual, strict=True)}
    cues = list(zip(work.expected_keys, work.expected, strict=True))

    def met(shift: int) -> float:
        found = sum((key, cue.start_ms + shift) in there for key, cue in cues)
        return found if shift else found * _HARDLY_BETTER

    return max(sorted(shifts, key=abs), key=met)


_EVIDENCE: tuple[Callable[[_Work, Group], Iterator[tuple[Group, bool]]], ...] = (
    _by_text,
    _by_text_and_time,
    _by_text,
    _by_words,
    _by_time,
    _by_words,
)
