"""The kinds of change in every pair of cues, in the times of all pairs, and outside of them."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mod_api.services.captions.alignment import Alignment, Match, align
from mod_api.services.captions.formats import CaptionFile, Cue, Texts, squeezed
from mod_api.services.captions.timeline import Timeline, commonest_shift, fitted, refined
from mod_regression.changes import ChangeKind
from mod_regression.decoding import Decoded

_ROUNDING_MS = 1
# Start and rate of a drift are themselves measured on rounded times.
_DRIFT_ROUNDING_MS = 2
_FEWEST_FOR_DRIFT = 3
# Longer words are not normalized: it takes time by the square of a run of combining marks.
_LONGEST_WORD = 128
_ANY_DIGIT = str.maketrans("123456789", "0" * 9)
_SIGN = re.compile(r"-(?=[0-9])")
_DIGITS = re.compile(r"[0-9]+")
_FRACTION = re.compile(r"[.,]([0-9]+)")

_OF_TIME = {ChangeKind.TIMING, ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT}
_OF_OUTSIDE = {ChangeKind.FORMATTING, ChangeKind.TIMING_SHIFT}
_OF_LETTERS = {ChangeKind.TEXT, ChangeKind.ENCODING}
_SpanPair = tuple[tuple[int, int], tuple[int, int]]


@dataclass(slots=True)
class Change:
    """Cues that belong together, what changed in them, and remarks on how."""

    match: Match
    kinds: set[ChangeKind] = field(default_factory=set)
    is_rewritten: bool = False  # its times are written in another way
    is_moved: bool = False  # its order among the others is exchanged
    is_unread: bool = False  # its times cannot be read in one of the files


class Side(NamedTuple):
    """One of the two files, decoded and read."""

    decoded: Decoded
    file: CaptionFile
    texts: Texts

    def cues(self, places: tuple[int, ...]) -> list[Cue]:
        """The cues at some places."""
        return [self.file.cues[place] for place in places]

    def letters(self, places: tuple[int, ...]) -> str:
        """The letters of the cues at some places."""
        return "".join(self.texts.letters(cue.text) for cue in self.cues(places))

    def plain(self, places: tuple[int, ...]) -> str:
        """The plain text of the cues at some places."""
        return " ".join(self.texts.plain(cue.text) for cue in self.cues(places))

    def span(self, places: tuple[int, ...]) -> tuple[int, int]:
        """When the first of the cues at some places starts and the last one ends."""
        if len(places) == 1:
            return self.file.cues[places[0]][:2]
        return span(self.cues(places))


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that is claimed of two files; `pairs` are all pairs, unchanged ones too.

    `of_the_files` are kinds that concern the files as a whole, or only what is outside of their
    cues, with how many cues they concern. `line` is the common shift or drift of changed times.
    """

    expected: Side
    actual: Side
    pairs: list[tuple[int, int]]
    changes: list[Change]
    of_the_files: dict[ChangeKind, int]
    line: Timeline | None
    uncompared: tuple[list[int], list[int]]

    @property
    def stream_shift_ms(self) -> int:
        """How much later X-TIMESTAMP-MAP puts the actual file's cues in the stream."""
        return stream_shift_ms(self.expected.file, self.actual.file)

    def exchanged(self) -> "Findings":
        """The findings about the same files in the other order."""
        swap = {
            ChangeKind.MISSING_CUES: ChangeKind.EXTRA_CUES,
            ChangeKind.EXTRA_CUES: ChangeKind.MISSING_CUES,
        }
        line = self.line
        return replace(
            self,
            expected=self.actual,
            actual=self.expected,
            pairs=[(j, i) for i, j in self.pairs],
            changes=[
                Change(
                    Match(change.match.actual, change.match.expected),
                    {swap.get(kind, kind) for kind in change.kinds},
                    change.is_rewritten,
                    change.is_moved,
                    change.is_unread,
                )
                for change in self.changes
            ],
            uncompared=self.uncompared[::-1],
            line=line and Timeline(1 / line.rate, -line.shift_ms / line.rate),
        )


# The counter of MPEG-2 clocks has 33 bits of 1/90 ms.
_STREAM_PERIOD_MS = 2**33 // 90


def stream_shift_ms(expected: CaptionFile, actual: CaptionFile) -> int:
    """How much later X-TIMESTAMP-MAP puts the second file's cues; 0 unless both have one."""
    if expected.stream_ms is None or actual.stream_ms is None:
        return 0
    half = _STREAM_PERIOD_MS // 2
    return (actual.stream_ms - expected.stream_ms + half) % _STREAM_PERIOD_MS - half


def find(expected: Side, actual: Side) -> Findings:
    """Align the cues of two files and say of each pair what changed."""
    alignment = align(expected.file.cues, actual.file.cues, expected.texts, actual.texts)
    changes = [*_changed_pairs(alignment, expected, actual)]
    changes += [
        Change(group, {_kind_of_group(group, expected, actual)}) for group in alignment.groups
    ]
    changes += [Change(Match((i,), ()), {ChangeKind.MISSING_CUES}) for i in alignment.missing]
    changes += [Change(Match((), (j,)), {ChangeKind.EXTRA_CUES}) for j in alignment.extra]
    is_only_pair = len(alignment.pairs) + len(alignment.groups) == 1
    line = _explain_times(changes, expected, actual, is_only_pair=is_only_pair)
    return Findings(
        expected=expected,
        actual=actual,
        pairs=alignment.pairs,
        changes=changes,
        of_the_files=_of_the_files(
            expected, actual, changes, is_complete=not any(alignment.uncompared)
        ),
        line=line,
        uncompared=alignment.uncompared,
    )


def _kind_of_group(group: Match, expected: Side, actual: Side) -> ChangeKind:
    same = expected.letters(group.expected) == actual.letters(group.actual)
    return ChangeKind.SPLIT_OR_MERGED if same else ChangeKind.TEXT


def places(findings: Findings, changes: Sequence[Change]) -> list[tuple[int, int, int]]:
    """Order changes as the files do: an extra cue behind the one before it."""
    extra = any(not change.match.expected for change in changes)
    both = sorted((j, i) for i, j in findings.pairs) if extra else []
    found = []
    for change in changes:
        if change.match.expected:
            found.append((change.match.expected[0], 0, 0))
            continue
        j = change.match.actual[0]
        at = bisect_right(both, (j, -1)) - 1
        found.append((both[at][1] if at >= 0 else -1, 1, j))
    return found


def _changed_pairs(alignment: Alignment, expected: Side, actual: Side) -> Iterator[Change]:
    """The pairs of cues that differ in anything but their labels."""
    same_format = expected.file.format is actual.file.format
    before_all, after_all, moved = expected.file.cues, actual.file.cues, alignment.moved
    for pair in alignment.pairs:
        before, after = before_all[pair[0]], after_all[pair[1]]
        is_moved = bool(moved) and pair in moved
        is_same = before is after or (before[:5] == after[:5] and before[6:] == after[6:])
        if is_same and same_format and not is_moved:
            continue
        change = Change(
            Match(pair[:1], pair[1:]),
            is_moved=is_moved,
            is_unread=not (before.is_timed and after.is_timed),
        )
        if before[2:5] != after[2:5] or not same_format:
            change.kinds = text_kinds(before, after, expected.texts, actual.texts)
            change.is_rewritten = same_format and _is_rewritten(before, after)
        is_restyled = same_format and before.style != after.style
        if is_moved or change.is_rewritten or is_restyled or before.is_timed != after.is_timed:
            change.kinds.add(ChangeKind.FORMATTING)
        if before.is_foreign != after.is_foreign and change.kinds.isdisjoint(_OF_LETTERS):
            change.kinds.add(ChangeKind.ENCODING)
        yield change


def text_kinds(before: Cue, after: Cue, first: Texts, second: Texts) -> set[ChangeKind]:
    """The kinds of change between the texts of two cues; empty where there are none."""
    if before.text == after.text and first.format is second.format:
        return set()
    old, new = first.plain(before.text), second.plain(after.text)
    if old != new:
        kinds = {ChangeKind.ENCODING if is_same_but_garbled(old, new) else ChangeKind.TEXT}
        if first.tags(before.text) != second.tags(after.text):
            kinds.add(ChangeKind.FORMATTING)
        return kinds
    kinds = set()
    if squeezed(before.text) != squeezed(after.text):
        kinds.add(ChangeKind.FORMATTING)
    if before.text != after.text and (
        not kinds or first.bare(before.text) != second.bare(after.text)
    ):
        kinds.add(ChangeKind.WHITESPACE)
    return kinds


def _is_rewritten(before: Cue, after: Cue) -> bool:
    """Return whether the times of two cues are written in different ways, whatever they are."""
    if before.times == after.times:
        return False
    if before[:2] == after[:2] and before.is_timed and after.is_timed:
        return True
    if before.times.translate(_ANY_DIGIT) == after.times.translate(_ANY_DIGIT):
        return False
    return _shape(before.times) != _shape(after.times)


def _shape(times: str) -> tuple[str, list[int]]:
    """How times are written: their separators, and how many digits their fractions have."""
    unsigned = _SIGN.sub("", times)
    return _DIGITS.sub("0", unsigned), [len(digits) for digits in _FRACTION.findall(unsigned)]


def is_same_but_garbled(expected: str, actual: str) -> bool:
    """Return whether two texts differ only in decoding or composition: 'é' as 'Ã©' or two marks."""
    if expected.isascii() and actual.isascii():
        return False
    if composed(expected) == composed(actual):
        return True
    return actual in _misread(expected) or expected in _misread(actual)


def composed(text: str) -> str:
    """The text in composed form (NFC), word by word: no character composes with a space."""
    if text.isascii():
        return text
    return " ".join(
        unicodedata.normalize("NFC", word) if len(word) <= _LONGEST_WORD else word
        for word in text.split(" ")
    )


def _misread(text: str) -> set[str]:
    """Return the UTF-8 of a text as it looks when it is taken for Latin-1."""
    found = set()
    for codec in ("cp1252", "latin-1"):
        try:
            found.add(" ".join(text.encode().decode(codec).split()))
        except UnicodeError:
            continue
    return found


# Times.


def span(cues: Sequence[Cue]) -> tuple[int, int]:
    """When the first of some cues starts and the last one ends."""
    return min(cue.start_ms for cue in cues), max(cue.end_ms for cue in cues)


def _explain_times(
    changes: list[Change], expected: Side, actual: Side, *, is_only_pair: bool
) -> Timeline | None:
    """Add to each pair the kind of its change in time; the common shift or drift, if there is one.

    An explanation has to hold for at least half of the pairs that differ, and for more than
    one of them unless there is only one pair at all.
    """
    changed: list[Change] = []
    spans: list[_SpanPair] = []
    for change in changes:
        if change.match.expected and change.match.actual and not change.is_unread:
            pair = expected.span(change.match.expected), actual.span(change.match.actual)
            if pair[0] != pair[1]:
                changed.append(change)
                spans.append(pair)
    if not changed:
        return None
    kind, line, explained = ChangeKind.TIMING, None, frozenset[int]()
    if len(changed) > 1 or is_only_pair:
        kind, line, explained = _explanation(spans)
    for at, change in enumerate(changed):
        change.kinds.add(kind if at in explained else ChangeKind.TIMING)
    return line


def _explanation(spans: list[_SpanPair]) -> tuple[ChangeKind, Timeline | None, frozenset[int]]:
    starts = [(expected[0], actual[0]) for expected, actual in spans]
    shift, _ = commonest_shift(starts)
    shifted = (
        following(spans, Timeline(shift_ms=shift), _ROUNDING_MS) if shift else frozenset[int]()
    )
    drift = _drift(spans, starts)
    drifted = following(spans, drift, _DRIFT_ROUNDING_MS) if drift else frozenset[int]()
    if len(shifted) >= len(drifted) and len(shifted) * 2 >= len(spans):
        return ChangeKind.TIMING_SHIFT, Timeline(shift_ms=shift), shifted
    if drift and len(drifted) >= _FEWEST_FOR_DRIFT and len(drifted) * 2 >= len(spans):
        return ChangeKind.TIMING_DRIFT, drift, drifted
    return ChangeKind.TIMING, None, frozenset()


def following(spans: Sequence[_SpanPair], line: Timeline, rounding_ms: float) -> frozenset[int]:
    """Which pairs have moved as the line says, start and end."""
    rate, shift = line.rate, line.shift_ms
    return frozenset(
        at
        for at, ((start, end), (new_start, new_end)) in enumerate(spans)
        if abs(start * rate + shift - new_start) <= rounding_ms
        and abs(end * rate + shift - new_end) <= rounding_ms
    )


def _drift(spans: list[_SpanPair], starts: list[tuple[int, int]]) -> Timeline | None:
    if len(spans) < _FEWEST_FOR_DRIFT:
        return None
    line = fitted(starts)
    if line is None:
        return None
    near = following(spans, line, 5 * _DRIFT_ROUNDING_MS)
    points = [point for at in near for point in zip(*spans[at], strict=True)]
    line = refined(points) if points else None
    if line is None:
        return None
    times = [expected for expected, _ in points]
    # A rate that moves nothing over the whole of the file is none.
    visible = abs(line.rate - 1) * (max(times) - min(times)) > _DRIFT_ROUNDING_MS
    return line if visible else None


# What is outside of the cues.


def _of_the_files(
    expected: Side, actual: Side, changes: list[Change], *, is_complete: bool
) -> dict[ChangeKind, int]:
    cues = max(len(expected.file.cues), len(actual.file.cues))
    before, after = expected.decoded, actual.decoded
    kinds: dict[ChangeKind, int] = {}
    if before.encoding != after.encoding:
        kinds[ChangeKind.ENCODING] = cues
    endings = {before.line_endings, after.line_endings} - {"none"}
    if len(endings) > 1:
        kinds[ChangeKind.LINE_ENDINGS] = cues
    is_shifted = stream_shift_ms(expected.file, actual.file) != 0
    if is_shifted and not any(change.kinds & _OF_TIME for change in changes):
        kinds[ChangeKind.TIMING_SHIFT] = cues
    if expected.file.format is not actual.file.format:
        kinds[ChangeKind.FORMATTING] = cues
    elif notes(expected.file, kinds) != notes(actual.file, kinds):
        kinds[ChangeKind.FORMATTING] = 0
    is_told = any(change.kinds for change in changes) or kinds.keys() & _OF_OUTSIDE
    if is_told or not is_complete:
        return kinds
    if before.text == after.text:
        if not kinds:
            # Two files may mix line endings, or damage bytes, each in its own way.
            mixed = "mixed" in endings
            kinds[ChangeKind.LINE_ENDINGS if mixed else ChangeKind.ENCODING] = cues
    elif squeezed(before.text) == squeezed(after.text):
        kinds[ChangeKind.WHITESPACE] = 0
    else:
        # Numbers of cues follow from which cues there are: alone they are a change.
        kinds[ChangeKind.FORMATTING] = 0
    return kinds


def notes(file: CaptionFile, told: Collection[ChangeKind] = ()) -> list[str]:
    """The words outside of cues: not numbers, nor the map of times where its shift is told."""
    return [
        word
        for line in (*file.outside, *file.unread)
        if ChangeKind.TIMING_SHIFT not in told or not line.startswith("X-TIMESTAMP-MAP")
        for word in line.split()
        if not word.isdigit()
    ]
