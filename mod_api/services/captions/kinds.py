"""What kinds of change there are in a pair of cues, and in the times of all pairs."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mod_api.services.captions.cues import Cue
from mod_api.services.captions.timeline import Timeline, commonest_shift, fitted, refined
from mod_regression.changes import ChangeKind

_ROUNDING_MS = 1
# Start and rate of a drift are themselves measured on rounded times.
_DRIFT_ROUNDING_MS = 2
_FEWEST_FOR_DRIFT = 3
_LONGEST_WORD = 128

Times = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TimeChanges:
    """For each pair the kind of its change in time (None: unchanged), and what is common."""

    kinds: list[ChangeKind | None]
    shift_ms: int | None = None
    rate: float | None = None


def text_kinds(expected: Cue, actual: Cue) -> set[ChangeKind]:
    """The kinds of change between the texts and styles of two cues; empty where there are none."""
    kinds: set[ChangeKind] = set()
    if expected.style != actual.style:
        kinds.add(ChangeKind.FORMATTING)
    if expected.text == actual.text:
        return kinds
    if expected.plain != actual.plain:
        garbled = _same_but_garbled(expected.plain, actual.plain)
        kinds.add(ChangeKind.ENCODING if garbled else ChangeKind.TEXT)
        if expected.tags != actual.tags:
            kinds.add(ChangeKind.FORMATTING)
        return kinds
    if _squeezed(expected.text) != _squeezed(actual.text):
        kinds.add(ChangeKind.FORMATTING)
    if expected.bare != actual.bare or not kinds:
        kinds.add(ChangeKind.WHITESPACE)
    return kinds


def time_changes(pairs: Sequence[tuple[Times, Times]]) -> TimeChanges:
    """Explain how the (start, end) times of pairs differ: by one shift, one rate, or neither.

    An explanation has to hold for at least half of the pairs that differ, and for more than
    one of them unless there is only one pair at all.
    """
    changed = [at for at, (expected, actual) in enumerate(pairs) if expected != actual]
    kinds: list[ChangeKind | None] = [None] * len(pairs)
    for at in changed:
        kinds[at] = ChangeKind.TIMING
    if not changed or (len(changed) == 1 and len(pairs) > 1):
        return TimeChanges(kinds)
    shift, _ = commonest_shift([(pairs[at][0][0], pairs[at][1][0]) for at in changed])
    shifted = _following(pairs, changed, Timeline(shift_ms=shift), _ROUNDING_MS) if shift else []
    drift = _drift(pairs, changed)
    drifted = _following(pairs, changed, drift, _DRIFT_ROUNDING_MS) if drift else []
    if len(shifted) >= len(drifted) and len(shifted) * 2 >= len(changed):
        for at in shifted:
            kinds[at] = ChangeKind.TIMING_SHIFT
        return TimeChanges(kinds, shift_ms=shift)
    if drift and len(drifted) >= _FEWEST_FOR_DRIFT and len(drifted) * 2 >= len(changed):
        for at in drifted:
            kinds[at] = ChangeKind.TIMING_DRIFT
        return TimeChanges(kinds, rate=round(drift.rate, 6))
    return TimeChanges(kinds)


def _following(
    pairs: Sequence[tuple[Times, Times]], changed: list[int], line: Timeline, rounding_ms: int
) -> list[int]:
    """Which of the changed pairs have moved as the line says, start and end."""
    return [
        at
        for at in changed
        if all(
            abs(line.at(expected) - actual) <= rounding_ms
            for expected, actual in zip(*pairs[at], strict=True)
        )
    ]


def _drift(pairs: Sequence[tuple[Times, Times]], changed: list[int]) -> Timeline | None:
    if len(changed) < _FEWEST_FOR_DRIFT:
        return None
    line = fitted([(pairs[at][0][0], pairs[at][1][0]) for at in changed])
    if line is None:
        return None
    near = _following(pairs, changed, line, 5 * _DRIFT_ROUNDING_MS)
    points = [point for at in near for point in zip(*pairs[at], strict=True)]
    line = refined(points) if points else None
    if line is None:
        return None
    times = [expected for expected, _ in points]
    # A rate that moves nothing over the whole of the file is none.
    visible = abs(line.rate - 1) * (max(times) - min(times)) > _DRIFT_ROUNDING_MS
    return line if visible else None


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _same_but_garbled(expected: str, actual: str) -> bool:
    """Whether two texts are one, decoded or composed differently: 'é' as 'Ã©', or as two marks."""
    if _composed(expected) == _composed(actual):
        return True
    return actual in _misread(expected) or expected in _misread(actual)


def _composed(text: str) -> str:
    """The text in composed form (NFC), word by word: no character composes with a space.

    Normalization takes time by the square of a run of combining marks, and holds the
    interpreter's lock: words longer than any word stay as they are.
    """
    if text.isascii():
        return text
    return " ".join(
        unicodedata.normalize("NFC", word) if len(word) <= _LONGEST_WORD else word
        for word in text.split(" ")
    )


def _misread(text: str) -> set[str]:
    """What the UTF-8 of a text looks like when it is taken for Latin-1."""
    found = set()
    for codec in ("cp1252", "latin-1"):
        try:
            found.add(" ".join(text.encode().decode(codec).split()))
        except UnicodeDecodeError:
            continue
    return found
