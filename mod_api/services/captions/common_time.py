"""On which timeline the cues of one file are found in the other, before they are aligned."""

from mod_api.services.captions.evidence import Work
from mod_api.services.captions.groups import Pairs
from mod_api.services.captions.timeline import Timeline, commonest_shift, fitted

_ON_LINE_MS = 50
# So few unique texts may be a coincidence: then times have a say in what the shift is.
_FEW_ANCHORS = 8
_HARDLY_BETTER = 1.1
_BY_CHANCE = 0.1


def common_timeline(work: Work, anchors: Pairs) -> Timeline:
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


def _likeliest_shift(work: Work, points: Pairs) -> int:
    """The shift with which the most cues meet one of the same text; of equal ones the smallest.

    None is believed that is hardly better than no shift, or that meets less than a tenth of
    the cues: repeated texts meet by chance.
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
        return found if shift else max(found * _HARDLY_BETTER, len(cues) * _BY_CHANCE)

    return max(sorted(shifts, key=abs), key=met)
