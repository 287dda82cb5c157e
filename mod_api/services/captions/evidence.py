"""What speaks for two cues belonging together, the strongest first.

Each kind of evidence takes a gap apart into groups (true) and smaller gaps (false).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mod_api.services.captions.cues import Cue
from mod_api.services.captions.groups import Group, Pairs, alone, divided, increasing, inside
from mod_api.services.captions.timeline import Timeline

_NEAR_MS = 100
_SAME_MS = 3


@dataclass(slots=True)
class Work:
    """Two files being aligned.

    The keys are what texts are recognised by. `timeline` is where expected times lie in the
    actual file. `cells_left` of tables may still be computed; `complete` is false once one
    was needed that was larger.
    """

    expected: Sequence[Cue]
    actual: Sequence[Cue]
    expected_keys: list[str]
    actual_keys: list[str]
    timeline: Timeline
    cells_left: int
    complete: bool = True


def key_of(cue: Cue) -> str:
    """What a text is recognised by: its letters and digits, whatever their case."""
    return "".join(filter(str.isalnum, cue.plain)).casefold() or cue.plain


def _by_text(work: Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    return divided(gap, increasing(texts_that_occur_once(work, gap)))


def _by_text_and_time(work: Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    found = [increasing(_same_text_near(work, gap, off)) for off in offsets(work, gap)]
    pairs = max(found, key=len)
    return divided(gap, pairs)


def _by_time(work: Work, gap: Group) -> Iterator[tuple[Group, bool]]:
    found = [increasing(same_times(work, gap, off)) for off in offsets(work, gap)]
    pairs = max(found, key=len)
    return divided(gap, pairs)


def _by_words(work: Work, gap: Group) -> Iterator[tuple[Group, bool]]:
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
        yield inside(gap, first_i, i, first_j, j), True
    for part in alone(inside(gap, i, len(expected), j, len(actual))):
        yield part, True


def _letters(cue: Cue) -> str:
    return "".join(cue.plain.split())


def texts_that_occur_once(work: Work, gap: Group) -> Pairs:
    """Pairs of equal text that occurs once on either side of the gap."""
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


def _same_text_near(work: Work, gap: Group, offset: float) -> Pairs:
    """Pairs of equal text whose starts are near; where a text is repeated, in order of time."""
    starts: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for at in range(gap.actual_from, gap.actual_to):
        starts[work.actual_keys[at]].append((work.actual[at].start_ms, at))
    wanted: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for at in range(gap.expected_from, gap.expected_to):
        if work.expected_keys[at] in starts:
            start = work.timeline.at(work.expected[at].start_ms) + offset
            wanted[work.expected_keys[at]].append((start, at))
    pairs: Pairs = []
    for key, times in wanted.items():
        pairs += _near(sorted(times), sorted(starts[key]))
    return pairs


def _near(expected: list[tuple[float, int]], actual: list[tuple[float, int]]) -> Pairs:
    pairs: Pairs = []
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


def same_times(work: Work, gap: Group, offset: float) -> Pairs:
    """Pairs with the same start and end, whatever their text."""
    cues = sorted((work.actual[at].start_ms, at) for at in range(gap.actual_from, gap.actual_to))
    pairs: Pairs = []
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


def offsets(work: Work, gap: Group) -> tuple[float, ...]:
    """How far from the common timeline cues may lie here: as the neighbours do, or not at all."""
    local = 0.0
    if gap.expected_from and gap.actual_from:
        local = _off(work, gap.expected_from - 1, gap.actual_from - 1)
    elif gap.expected_to < len(work.expected) and gap.actual_to < len(work.actual):
        local = _off(work, gap.expected_to, gap.actual_to)
    return (local, 0.0) if local else (0.0,)


def _off(work: Work, expected_at: int, actual_at: int) -> float:
    expected = work.timeline.at(work.expected[expected_at].start_ms)
    return work.actual[actual_at].start_ms - expected


EVIDENCE: tuple[Callable[[Work, Group], Iterator[tuple[Group, bool]]], ...] = (
    _by_text,
    _by_text_and_time,
    _by_text,
    _by_words,
    _by_time,
    _by_words,
)
