"""The kind of change there is between two caption files, on the whole."""

import heapq
import re
from collections import Counter
from dataclasses import dataclass

from mod_api.services.captions import verification, wording
from mod_api.services.captions.alignment import Match
from mod_api.services.captions.findings import Change, Findings, Side, find, places
from mod_api.services.captions.formats import CaptionFormat, Cue, Texts, format_of
from mod_api.services.captions.model import (
    CaptionComparison,
    ChangedCue,
    CueText,
    Location,
    WordChange,
)
from mod_api.services.captions.readers import MAX_CUES, MAX_LINES, MAX_TEXT, is_read, read_pair
from mod_regression.changes import ChangeKind
from mod_regression.decoding import Decoded, decode_pair

# Raised whenever the same two files may be classified in another way than before, for whoever
# keeps classifications.
RULES_VERSION = 5

# Of either file; a larger one is not classified.
MAX_BYTES = 8 * 1024 * 1024

_GRAVITY = {kind: kind.gravity for kind in ChangeKind}
_LOOKED_AT_BYTES = 64 * 1024
_MAX_CHANGED = 100
_TEXT_SHOWN = 1_000
_RATE_DIGITS = 9
_DELAY_SHOWN_MS = 20
_VALID_TIMES = {
    CaptionFormat.SUBRIP: re.compile(
        r"[0-9]{2,}:[0-5][0-9]:[0-5][0-9],[0-9]{3} --> [0-9]{2,}:[0-5][0-9]:[0-5][0-9],[0-9]{3}\s*"
    ),
    CaptionFormat.WEBVTT: re.compile(
        r"\s*(?:[0-9]{2,}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3}[ \t]+-->"
        r"[ \t]+(?:[0-9]{2,}:)?[0-5][0-9]:[0-5][0-9]\.[0-9]{3}\s*"
    ),
}


@dataclass(frozen=True, slots=True)
class CueSpan:
    """The place of a cue in one file: its number from 1, how many cues it is, and its times."""

    number: int
    cues: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class CuePair:
    """Cues that belong together, changed or not (`identical`); a side is None without partner."""

    kind: ChangeKind
    expected: CueSpan | None
    actual: CueSpan | None


def list_cues(expected: bytes, actual: bytes, extension: str) -> list[CuePair] | None:
    """List all cues of two files in their order; None where they are too large or no captions."""
    if max(len(expected), len(actual)) > MAX_BYTES:
        return None
    sides = _read(expected, actual, extension)
    if sides is None or any(side.file.is_too_large for side in sides):
        return None
    findings = _find(expected, actual, *sides)
    told = {change.match for change in findings.changes}
    unchanged = [
        Change(match)
        for match in (Match((i,), (j,)) for i, j in findings.pairs)
        if match not in told
    ]
    expected_only, actual_only = findings.uncompared
    uncompared = [Change(Match((i,), ()), {ChangeKind.MIXED}) for i in expected_only]
    uncompared += [Change(Match((), (j,)), {ChangeKind.MIXED}) for j in actual_only]
    changes = [*findings.changes, *unchanged, *uncompared]
    where = places(findings, changes)
    return [
        CuePair(
            _kind(changes[at].kinds),
            _span(findings.expected, changes[at].match.expected),
            _span(findings.actual, changes[at].match.actual),
        )
        for at in sorted(range(len(changes)), key=where.__getitem__)
    ]


def _span(side: Side, places: tuple[int, ...]) -> CueSpan | None:
    return CueSpan(places[0] + 1, len(places), *side.span(places)) if places else None


def _kind(kinds: set[ChangeKind]) -> ChangeKind:
    if not kinds:
        return ChangeKind.IDENTICAL
    return next(iter(kinds)) if len(kinds) == 1 else ChangeKind.MIXED


def _find(expected: bytes, actual: bytes, before: Side, after: Side) -> Findings:
    # Pairing makes choices. Made in one order of the files, whichever is expected, they are the
    # same choices: exchanging the files exchanges the answer.
    if expected <= actual:
        return find(before, after)
    return find(after, before).exchanged()


def classify(expected: bytes, actual: bytes, extension: str) -> CaptionComparison | None:
    """Say what changed between two caption files; None where they are no captions.

    Captions are recognised by what a file contains, then by `extension` (with or without its
    dot): with the extension of a caption format, the answer is never None. Bounded: files above
    8 MiB, 50,000 cues or 300,000 lines are `mixed` and `truncated`, as are files of which too
    many cues differ to compare each with each.
    """
    if max(len(expected), len(actual)) > MAX_BYTES:
        starts = decode_pair(expected[:_LOOKED_AT_BYTES], actual[:_LOOKED_AT_BYTES])
        return TOO_LARGE if read_pair(*starts, extension) else None
    sides = _read(expected, actual, extension)
    if sides is None:
        return None
    before, after = sides
    if expected == actual:
        return _identical(before)
    if before.file.is_too_large or after.file.is_too_large:
        return TOO_LARGE
    if not (is_read(before.file.format) and is_read(after.file.format)):
        return _of_unread_format(before, after)
    if not (before.file.cues or after.file.cues):
        return _without_cues(before, after)
    findings = _find(expected, actual, before, after)
    return describe(findings, verification.withdraw(findings))


def _read(expected: bytes, actual: bytes, extension: str) -> tuple[Side, Side] | None:
    decoded = decode_pair(expected, actual)
    files = read_pair(*decoded, extension)
    if files is None:
        return None
    if not (files[0].cues or files[1].cues or format_of(extension)):
        return None
    texts = [Texts(file.format) for file in files]
    return Side(decoded[0], files[0], texts[0]), Side(decoded[1], files[1], texts[1])


def describe(findings: Findings, withdrawn: int) -> CaptionComparison:
    """The findings as they are answered, `withdrawn` claims being counted only."""
    differing = [change for change in findings.changes if change.kinds]
    where = places(findings, differing)
    gravest = heapq.nsmallest(
        _MAX_CHANGED,
        range(len(differing)),
        key=lambda at: (_gravity(differing[at].kinds), where[at]),
    )
    chosen = sorted(gravest, key=where.__getitem__)
    changed = {at: _changed(findings, differing[at]) for at in chosen}
    first = changed[gravest[0]] if gravest else None
    of_cues = Counter(kind for change in differing for kind in change.kinds)
    of_the_files = findings.of_the_files
    counts = {
        kind: max(of_cues.get(kind, 0), of_the_files.get(kind, 0))
        for kind in ChangeKind
        if kind in of_cues or kind in of_the_files
    }
    is_certain = not (withdrawn or any(findings.uncompared))
    facts = _facts(findings, differing, counts, first, withdrawn)
    # Times that cannot be read may have changed too.
    is_one_kind = len(counts) == 1 and is_certain and not any(facts.unread)
    return CaptionComparison(
        kind=next(iter(counts)) if is_one_kind else ChangeKind.MIXED,
        kinds=counts,
        cues_expected=facts.cues_expected,
        cues_actual=facts.cues_actual,
        shift_ms=facts.shift_ms
        if facts.shift_ms is not None or ChangeKind.TIMING_SHIFT not in counts
        else facts.stream_shift_ms,
        rate=facts.rate,
        changed=tuple(changed.values()),
        truncated=len(differing) > len(changed) or not is_certain,
        message=wording.printable(wording.sentence(facts)),
        location=_location(first),
    )


def _facts(
    findings: Findings,
    differing: list[Change],
    counts: dict[ChangeKind, int],
    first: ChangedCue | None,
    withdrawn: int,
) -> wording.Facts:
    before, after = findings.expected, findings.actual
    line = findings.line
    rewritten = [change for change in differing if change.is_rewritten and not change.is_unread]
    rewritten.sort(key=lambda change: change.match)
    example = _times_of(findings, rewritten[0]) if rewritten else None
    is_drift = ChangeKind.TIMING_DRIFT in counts and line is not None
    return wording.Facts(
        counts=counts,
        cues_expected=len(before.file.cues),
        cues_actual=len(after.file.cues),
        shift_ms=round(line.shift_ms) if line and not is_drift else None,
        rate=round(line.rate, _RATE_DIGITS) if line and is_drift else None,
        delay_ms=_delay_ms(findings) if is_drift else 0,
        first=first,
        formats=(before.file.format.label, after.file.format.label),
        encodings=(before.decoded.encoding, after.decoded.encoding),
        line_endings=(before.decoded.line_endings, after.decoded.line_endings),
        stream_shift_ms=findings.stream_shift_ms,
        rewritten=example,
        rewritten_count=len(rewritten),
        invalid=_becomes_invalid(example, after.file.format),
        moved_count=sum(change.is_moved for change in differing),
        unread=_unread_counts(findings, differing),
        outside=_outside(before, after),
        unconfirmed=withdrawn,
        uncompared=(len(findings.uncompared[0]), len(findings.uncompared[1])),
    )


def _delay_ms(findings: Findings) -> int:
    line = findings.line
    delay = round(line.shift_ms) if line else 0
    return delay if abs(delay) > _DELAY_SHOWN_MS else 0


def _times_of(findings: Findings, change: Change) -> tuple[str, str]:
    return (
        findings.expected.file.cues[change.match.expected[0]].times,
        findings.actual.file.cues[change.match.actual[0]].times,
    )


def _becomes_invalid(example: tuple[str, str] | None, format_: CaptionFormat) -> bool:
    valid = _VALID_TIMES.get(format_)
    if example is None or valid is None:
        return False
    return bool(valid.fullmatch(example[0])) and not valid.fullmatch(example[1])


def _unread_counts(findings: Findings, differing: list[Change]) -> tuple[int, int]:
    """How many lines of times of either file cannot be read."""
    counts = [0, 0]
    for change in differing:
        if not change.is_unread:
            continue
        expected = findings.expected.cues(change.match.expected)
        actual = findings.actual.cues(change.match.actual)
        counts[0] += not expected or any(not cue.is_timed for cue in expected)
        counts[1] += not actual or any(not cue.is_timed for cue in actual)
    return counts[0], counts[1]


def _outside(before: Side, after: Side) -> str:
    """Name what differs outside of the cues."""
    lines = [[*side.file.outside, *side.file.unread] for side in (before, after)]
    if lines[0] == lines[1]:
        return "numbers or identifiers of cues"
    removed = Counter(lines[0]) - Counter(lines[1])
    added = Counter(lines[1]) - Counter(lines[0])
    pair = [next(iter(found), "") for found in (removed, added)]
    if any(line.startswith("X-TIMESTAMP-MAP") for line in pair):
        return "X-TIMESTAMP-MAP"
    shown = [f"'{wording.cut(wording.visible(line), 60)}'" if line else "" for line in pair]
    if all(shown):
        return f"{shown[0]} became {shown[1]}"
    if any(shown):
        return f"{shown[0]} is lost" if shown[0] else f"{shown[1]} is added"
    return "the order of lines"


def _gravity(kinds: set[ChangeKind]) -> int:
    return min(map(_GRAVITY.__getitem__, kinds))


def _changed(findings: Findings, change: Change) -> ChangedCue:
    before = findings.expected.cues(change.match.expected)
    after = findings.actual.cues(change.match.actual)
    words: tuple[WordChange, ...] = ()
    if change.kinds & {ChangeKind.TEXT, ChangeKind.ENCODING} and before and after:
        words = wording.differing_words(
            findings.expected.plain(change.match.expected),
            findings.actual.plain(change.match.actual),
        )
    return ChangedCue(
        kind=_kind(change.kinds),
        expected=_text(before, change.match.expected),
        actual=_text(after, change.match.actual),
        words=words,
    )


def _text(cues: list[Cue], places: tuple[int, ...]) -> CueText | None:
    if not cues:
        return None
    return CueText(
        number=places[0] + 1,
        cues=len(cues),
        start_ms=min(cue.start_ms for cue in cues),
        end_ms=max(cue.end_ms for cue in cues),
        text=wording.printable(wording.cut("\n".join(cue.text for cue in cues), _TEXT_SHOWN)),
    )


def _location(first: ChangedCue | None) -> Location | None:
    cue = first and (first.expected or first.actual)
    return Location(cue.number, cue.start_ms) if cue else None


def _answer(
    kind: ChangeKind,
    message: str,
    *,
    kinds: dict[ChangeKind, int] | None = None,
    cues: tuple[int | None, int | None] = (None, None),
    truncated: bool = False,
) -> CaptionComparison:
    """An answer about whole files, without any cue."""
    return CaptionComparison(
        kind=kind,
        kinds=kinds or {},
        cues_expected=cues[0],
        cues_actual=cues[1],
        shift_ms=None,
        rate=None,
        changed=(),
        truncated=truncated,
        message=message,
        location=None,
    )


def _identical(side: Side) -> CaptionComparison:
    count = 0 if side.file.is_too_large else len(side.file.cues)
    known = None if side.file.is_too_large else count
    return _answer(
        ChangeKind.IDENTICAL,
        "The captions are identical.",
        kinds={ChangeKind.IDENTICAL: count},
        cues=(known, known),
    )


TOO_LARGE = _answer(
    ChangeKind.MIXED,
    "The captions differ and are too large to say how: more than"
    f" {MAX_BYTES // 1024 // 1024} MiB, {MAX_CUES:,} cues, {MAX_LINES:,} lines, or"
    f" {MAX_TEXT:,} characters in one cue.",
    truncated=True,
)


def _of_unread_format(before: Side, after: Side) -> CaptionComparison:
    """Two files of which at least one is in a format that is recognized only."""
    was, became = before.file.format, after.file.format
    if was is became:
        kinds = _kinds_of_texts(before.decoded, after.decoded)
        if kinds:
            return _without_cues(before, after)
        message = f"The files differ; captions in {was.label} are not read."
        return _answer(ChangeKind.MIXED, message, truncated=True)
    unread = became if is_read(was) else was
    counts = tuple(len(side.file.cues) if side.file.cues else None for side in (before, after))
    return _answer(
        ChangeKind.MIXED,
        f"The format differs: {was.label} became {became.label};"
        f" captions in {unread.label} are not read.",
        kinds={ChangeKind.FORMATTING: max(count or 0 for count in counts)},
        cues=(counts[0], counts[1]),
        truncated=True,
    )


def _without_cues(before: Side, after: Side) -> CaptionComparison:
    """Two files of a caption's extension in which no cue can be read."""
    old, new = before.decoded, after.decoded
    formats = before.file.format.label, after.file.format.label
    if formats[0] != formats[1]:
        return _answer(
            ChangeKind.FORMATTING,
            f"{_capital(formats[0])} became {formats[1]}: no cues can be read to compare.",
            kinds={ChangeKind.FORMATTING: 0},
        )
    kinds = _kinds_of_texts(old, new)
    if kinds:
        kind = next(iter(kinds)) if len(kinds) == 1 else ChangeKind.MIXED
        told = " and ".join(_TOLD_OF_TEXTS[each] for each in kinds)
        return _answer(
            kind, f"No cue can be read as {formats[0]}; only {told} differ.", kinds=kinds
        )
    return _answer(
        ChangeKind.MIXED,
        f"The files differ, and no cue in them can be read as {formats[0]}.",
        truncated=True,
    )


_TOLD_OF_TEXTS = {
    ChangeKind.ENCODING: "the encodings",
    ChangeKind.WHITESPACE: "white space",
    ChangeKind.LINE_ENDINGS: "the line endings",
}


def _kinds_of_texts(old: Decoded, new: Decoded) -> dict[ChangeKind, int]:
    """The kinds by which two texts differ, if by nothing else."""
    kinds: dict[ChangeKind, int] = {}
    if old.text.split() != new.text.split():
        return kinds
    if old.encoding != new.encoding:
        kinds[ChangeKind.ENCODING] = 0
    if old.text != new.text:
        kinds[ChangeKind.WHITESPACE] = 0
    if len({old.line_endings, new.line_endings} - {"none"}) > 1:
        kinds[ChangeKind.LINE_ENDINGS] = 0
    return kinds


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
