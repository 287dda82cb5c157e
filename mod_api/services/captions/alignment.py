"""Which cues of two files belong together.

Ever weaker evidence is used on ever smaller gaps: texts that occur once in both files, equal
texts at about the same time, equal words distributed over other cues, equal times, and at
last a table of how well each cue of a gap matches each. Whatever the input, the work is
bounded: gaps too large for the table are paired by time alone, which the result admits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mod_api.services.captions.common_time import common_timeline
from mod_api.services.captions.cues import Cue
from mod_api.services.captions.evidence import (
    EVIDENCE,
    Work,
    key_of,
    offsets,
    same_times,
    texts_that_occur_once,
)
from mod_api.services.captions.groups import Group, Pairs, alone, divided, increasing, inside
from mod_api.services.captions.matching import best_matches
from mod_api.services.captions.timeline import Timeline

_MAX_CELLS = 200_000
# Texts that occur once say little when they are less than this part of all.
_LITTLE = 4


@dataclass(frozen=True, slots=True)
class Alignment:
    """Groups in the order of both files; `complete` is false where work had to be cut short."""

    groups: list[Group]
    complete: bool


def align(expected: Sequence[Cue], actual: Sequence[Cue]) -> Alignment:
    """Find which cues belong together. Cues keep their order; none is in two groups."""
    work = Work(
        expected=expected,
        actual=actual,
        expected_keys=[key_of(cue) for cue in expected],
        actual_keys=[key_of(cue) for cue in actual],
        timeline=Timeline(),
        cells_left=_MAX_CELLS,
    )
    whole = Group(0, len(expected), 0, len(actual))
    anchors = increasing(texts_that_occur_once(work, whole))
    work.timeline = common_timeline(work, anchors)
    fewer = min(len(expected), len(actual))
    times: Pairs = []
    if len(anchors) * _LITTLE < fewer:
        # Where most texts changed, the few that are equal may be so by chance: times say more.
        times = increasing(same_times(work, whole, 0.0))
    groups: list[Group] = []
    for part, is_group in divided(whole, times if len(times) * 2 >= fewer else anchors):
        groups += [part] if is_group else _resolved(work, part, 0)
    return Alignment(groups, work.complete)


def _resolved(work: Work, gap: Group, level: int) -> Iterator[Group]:
    """The groups of a gap, by the evidence of `level` and all weaker kinds."""
    if gap.expected_from == gap.expected_to or gap.actual_from == gap.actual_to:
        yield from alone(gap)
    elif level == len(EVIDENCE):
        yield from _matched(work, gap)
    else:
        for part, is_group in EVIDENCE[level](work, gap):
            if is_group:
                yield part
            else:
                yield from _resolved(work, part, level + 1)


def _matched(work: Work, gap: Group) -> Iterator[Group]:
    expected = work.expected[gap.expected_from : gap.expected_to]
    actual = work.actual[gap.actual_from : gap.actual_to]
    offset = offsets(work, gap)[0]
    where = [
        (work.timeline.at(cue.start_ms) + offset, work.timeline.at(cue.end_ms) + offset)
        for cue in expected
    ]
    cells = len(expected) * len(actual)
    if cells <= work.cells_left:
        work.cells_left -= cells
        for match in best_matches(expected, actual, where):
            yield inside(gap, *match)
        return
    work.complete = False
    pairs = [(gap.expected_from + i, gap.actual_from + j) for i, j in _overlapping(where, actual)]
    for part, is_group in divided(gap, pairs):
        if is_group:
            yield part
        else:
            yield from alone(part)


def _overlapping(where: list[tuple[float, float]], actual: Sequence[Cue]) -> Pairs:
    """Pairs whose times overlap, each cue with the first that it can have."""
    pairs: Pairs = []
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
