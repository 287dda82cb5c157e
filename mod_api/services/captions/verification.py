"""Checks every claim on the two files once more, from their texts and times alone.

Classifying pairs cues by evidence; a claim that follows from a wrong pair would be false. Each
claim is derived here anew, in another way than it was found. One that does not hold is withdrawn,
and its cue is counted as changed in a way that is not certain.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable

from mod_api.services.captions.findings import Change, Findings, Side, composed, span
from mod_api.services.captions.formats import Cue, squeezed
from mod_regression.changes import ChangeKind

_NEAR_MS = 1_000
_ROUNDING_MS = 2
_SHORTEST_UNREAD = 3


def withdraw(findings: Findings) -> int:
    """Withdraw the claims that do not hold; the number of cues that are not told of otherwise.

    A cue that seems to be missing while its text stands where no times can be read is no longer
    called missing: it is `formatting`, since its times are written as nothing that can be read.
    """
    left = _Unpaired(findings)
    withdrawn = 0
    for change in findings.changes:
        for kind in tuple(change.kinds):
            if _CHECKS[kind](change, findings, left):
                continue
            change.kinds.discard(kind)
            if kind in _ONE_SIDED and left.is_unread(change):
                change.kinds.add(ChangeKind.FORMATTING)
                change.is_unread = True
            elif not change.kinds:
                withdrawn += 1
    return withdrawn


class _Unpaired:
    """The cues of both files that have no partner, and the text where no cue was read."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        # The starts of cues without partner in either file, by their letters.
        self._starts: tuple[dict[str, list[int]], dict[str, list[int]]] = (
            defaultdict(list),
            defaultdict(list),
        )
        for change in findings.changes:
            if not change.match.actual:
                self._add(0, findings.expected, change.match.expected[0])
            elif not change.match.expected:
                self._add(1, findings.actual, change.match.actual[0])
        for starts in (*self._starts[0].values(), *self._starts[1].values()):
            starts.sort()
        self._unread = tuple(
            side.texts.key(" ".join(side.file.unread)) if side.file.unread else ""
            for side in (findings.expected, findings.actual)
        )

    def _add(self, number: int, side: Side, place: int) -> None:
        cue = side.file.cues[place]
        self._starts[number][side.texts.key(cue.text)].append(cue.start_ms)

    def has_near(self, change: Change) -> bool:
        """Whether the other file has a cue of the same letters near by that nobody paired."""
        key, cue, other = self._about(change)
        starts = self._starts[other].get(key, [])
        at = bisect_left(starts, cue.start_ms - _NEAR_MS)
        return at < len(starts) and starts[at] <= cue.start_ms + _NEAR_MS

    def is_unread(self, change: Change) -> bool:
        """Whether the letters of a cue without partner stand in the other file's unread lines."""
        key, _, other = self._about(change)
        return len(key) >= _SHORTEST_UNREAD and key in self._unread[other]

    def _about(self, change: Change) -> tuple[str, Cue, int]:
        is_missing = not change.match.actual
        side = self._findings.expected if is_missing else self._findings.actual
        (place,) = change.match.expected or change.match.actual
        cue = side.file.cues[place]
        return side.texts.key(cue.text), cue, 1 if is_missing else 0


def _both(change: Change, findings: Findings) -> tuple[list[Cue], list[Cue]]:
    return (
        findings.expected.cues(change.match.expected),
        findings.actual.cues(change.match.actual),
    )


def _letters(cues: list[Cue], side: Side) -> str:
    return "".join(squeezed(side.texts.bare(cue.text)) for cue in cues)


def _is_alone(change: Change, findings: Findings, left: _Unpaired) -> bool:
    return (not change.match.expected or not change.match.actual) and not (
        left.has_near(change) or left.is_unread(change)
    )


def _is_text(change: Change, findings: Findings, left: _Unpaired) -> bool:
    before, after = _both(change, findings)
    old, new = (
        " ".join(" ".join(side.texts.bare(cue.text) for cue in cues).split())
        for side, cues in ((findings.expected, before), (findings.actual, after))
    )
    return old != new


def _has_same_letters(change: Change, findings: Findings, left: _Unpaired) -> bool:
    before, after = _both(change, findings)
    return _letters(before, findings.expected) == _letters(after, findings.actual)


def _is_white_space(change: Change, findings: Findings, left: _Unpaired) -> bool:
    before, after = _both(change, findings)
    raw = ["".join(cue.text for cue in cues) for cues in (before, after)]
    return raw[0] != raw[1] and _has_same_letters(change, findings, left)


def _is_timing(change: Change, findings: Findings, left: _Unpaired) -> bool:
    before, after = _both(change, findings)
    return all(cue.is_timed for cue in (*before, *after)) and span(before) != span(after)


def _is_on_line(change: Change, findings: Findings, left: _Unpaired) -> bool:
    line = findings.line
    before, after = _both(change, findings)
    if line is None or not _is_timing(change, findings, left):
        return False
    return all(
        abs(expected * line.rate + line.shift_ms - actual) <= _ROUNDING_MS
        for expected, actual in zip(span(before), span(after), strict=True)
    )


def _is_encoding(change: Change, findings: Findings, left: _Unpaired) -> bool:
    (before,), (after,) = _both(change, findings)
    old, new = findings.expected.texts.plain(before.text), findings.actual.texts.plain(after.text)
    if old == new or composed(old) == composed(new):
        return True
    return any(_decoded_wrongly(*texts) for texts in ((old, new), (new, old)))


def _decoded_wrongly(right: str, wrong: str) -> bool:
    """Whether one text is the other's UTF-8 taken for Latin-1, white space aside."""
    for codec in ("cp1252", "latin-1"):
        try:
            found = right.encode().decode(codec)
        except UnicodeError:
            continue
        if squeezed(found) == squeezed(wrong):
            return True
    return False


def _is_formatting(change: Change, findings: Findings, left: _Unpaired) -> bool:
    if change.is_unread or change.is_moved:
        return True
    (before,), (after,) = _both(change, findings)
    return (
        before.times != after.times
        or before.style != after.style
        or before.text != after.text
        or findings.expected.file.format is not findings.actual.file.format
    )


_ONE_SIDED = {ChangeKind.MISSING_CUES, ChangeKind.EXTRA_CUES}
_CHECKS: dict[ChangeKind, Callable[[Change, Findings, _Unpaired], bool]] = {
    ChangeKind.MISSING_CUES: _is_alone,
    ChangeKind.EXTRA_CUES: _is_alone,
    ChangeKind.TEXT: _is_text,
    ChangeKind.SPLIT_OR_MERGED: _has_same_letters,
    ChangeKind.TIMING: _is_timing,
    ChangeKind.TIMING_SHIFT: _is_on_line,
    ChangeKind.TIMING_DRIFT: _is_on_line,
    ChangeKind.ENCODING: _is_encoding,
    ChangeKind.FORMATTING: _is_formatting,
    ChangeKind.WHITESPACE: _is_white_space,
}
