"""One sentence about a caption change, for lists of errors, and the words that differ."""

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher

from mod_api.services.captions.model import ChangedCue, CueText, WordChange
from mod_api.services.captions.times import shown
from mod_regression.changes import ChangeKind

_QUOTED = 60
# The work grows with the square of the words.
_WORDS_COMPARED = 80
_CHANGES_SHOWN = 20
_CHARACTERS_SHOWN = 200
_SURROGATE = re.compile("[\ud800-\udfff]")
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF
_UNSEEN_CATEGORIES = {"Cc", "Cf", "Co", "Cn", "Zl", "Zp"}
# Shown as nothing by themselves, though they are letters or marks.
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_SELECTORS = ((0xFE00, 0xFE0F), (0x180B, 0x180F), (0xE0100, 0xE01EF))


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the sentence is made of; `first` is the first pair of the gravest kind.

    `rewritten` are an expected and an actual line of times of pairs whose times are written in
    another way, `invalid` tells whether the actual one is no longer in its format. `unread` counts
    lines of times that cannot be read, of either file.
    """

    counts: dict[ChangeKind, int]
    cues_expected: int
    cues_actual: int
    shift_ms: int | None
    rate: float | None
    delay_ms: int
    first: ChangedCue | None
    formats: tuple[str, str]
    encodings: tuple[str, str]
    line_endings: tuple[str, str]
    stream_shift_ms: int
    rewritten: tuple[str, str] | None
    rewritten_count: int
    invalid: bool
    moved_count: int
    unread: tuple[int, int]
    outside: str
    unconfirmed: int
    uncompared: tuple[int, int]


def sentence(facts: Facts) -> str:
    """Say what changed, in the terms of captions, in one sentence."""
    text = _sentence(facts)
    if facts.unconfirmed:
        cues = _cues(facts.unconfirmed)
        text = f"{text[:-1]}; how {cues} changed is not certain."
    if any(facts.uncompared):
        was, became = map(_cues, facts.uncompared)
        text = f"{text[:-1]}; {was} and {became} in their place differ too much to be compared."
    return text


def _sentence(facts: Facts) -> str:
    if not facts.counts:
        return "The captions differ."
    if len(facts.counts) > 1:
        phrases = [_phrase(kind, count, facts) for kind, count in facts.counts.items()]
        text = ", ".join(phrases[:-1]) + " and " + phrases[-1]
        return f"{_capital(text)}{_example(facts)}."
    ((kind, count),) = facts.counts.items()
    if kind is ChangeKind.FORMATTING and facts.formats[0] != facts.formats[1]:
        was, became = facts.formats
        return f"The same captions in another format: {was} became {became}."
    if facts.first is None:
        return _about_the_file(kind, facts)
    if kind in (ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT):
        return _about_time(kind, count, facts, facts.first)
    if kind is ChangeKind.MISSING_CUES and count == facts.cues_expected:
        return f"All {_cues(count)} are missing." if count > 1 else "The only cue is missing."
    if kind is ChangeKind.FORMATTING and (told := _about_formatting(count, facts)):
        return f"{_capital(told)}."
    in_all = f"; {_cues(count)} in all" if count > 1 else ""
    return f"{_capital(_about_first(kind, facts.first))}{in_all}."


def _example(facts: Facts) -> str:
    """The end of a sentence about several kinds: where to look first."""
    first = facts.first
    if first is None:
        return ""
    if first.kind is ChangeKind.MIXED and first.words:
        return f"; the first is {_place(first)}: {_words(first)}"
    if first.kind in (ChangeKind.MIXED, ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT):
        return f"; the first is {_place(first)}"
    return f"; {_about_first(first.kind, first)}"


def _about_the_file(kind: ChangeKind, facts: Facts) -> str:
    match kind:
        case ChangeKind.ENCODING:
            was, became = facts.encodings
            if was == became:
                return f"Only bytes that are not {was} differ."
            return f"The same captions in another encoding: {was} became {became}."
        case ChangeKind.LINE_ENDINGS:
            was, became = facts.line_endings
            return f"Only the line endings differ: {was} became {became}."
        case ChangeKind.TIMING_SHIFT:
            moved = _later(facts.stream_shift_ms)
            return f"X-TIMESTAMP-MAP puts all {_cues(facts.cues_actual)} {moved} in the stream."
        case ChangeKind.FORMATTING:
            return f"Only what stands outside the cues differs: {facts.outside}."
        case _:
            return "Only empty lines or the end of the file differ."


def _about_time(kind: ChangeKind, count: int, facts: Facts, first: ChangedCue) -> str:
    cues = facts.cues_expected
    all_of_them = count == cues == facts.cues_actual
    who = f"{count:,} of {_cues(cues)}"
    if all_of_them:
        who = f"All {_cues(cues)}" if cues > 1 else "The only cue"
    what = _later(facts.shift_ms or 0) if kind is ChangeKind.TIMING_SHIFT else _drifting(facts)
    return f"{who} {_verb(what, count)}" + ("." if all_of_them else f", the first {_place(first)}.")


def _about_formatting(count: int, facts: Facts) -> str:
    """A part of a sentence for formatting of one sort, empty where there are several."""
    if sum(facts.unread) == count:
        side = "expected" if facts.unread[0] else "actual"
        label = facts.formats[0] if facts.unread[0] else facts.formats[1]
        lines = "1 line of times" if count == 1 else f"{count:,} lines of times"
        return f"{lines} of the {side} file cannot be read as {label}"
    if facts.rewritten_count == count and facts.rewritten and facts.first:
        was, became = (f"'{cut(visible(line), _QUOTED)}'" for line in facts.rewritten)
        one = f"the times of {_place(facts.first)}"
        whose = one if count == 1 else f"the times of {_cues(count)}"
        not_valid = f", which is not {facts.formats[1]}" if facts.invalid else ""
        return f"{whose} are written in another way: {was} became {became}{not_valid}"
    if facts.moved_count == count and facts.first:
        return f"only the order of cues differs, the first {_place(facts.first)}"
    return ""


def _verb(what: str, count: int) -> str:
    return ("starts " if count == 1 else "start ") + what


def _later(shift_ms: int) -> str:
    return f"{abs(shift_ms):,} ms {'later' if shift_ms > 0 else 'earlier'}"


def _drifting(facts: Facts) -> str:
    direction = "later" if (facts.rate or 1) > 1 else "earlier"
    told = f"ever {direction}, at {rate(facts.rate)} times the expected time"
    return f"{told}, and {_later(facts.delay_ms)}" if facts.delay_ms else told


def rate(value: float | None) -> str:
    """A rate with as many digits as tell it from 1."""
    return f"{value or 1:.9f}".rstrip("0").rstrip(".")


def _about_first(kind: ChangeKind, first: ChangedCue) -> str:
    place = _place(first)
    match kind:
        case ChangeKind.MISSING_CUES:
            return f"{place} is missing: {_quoted(first.expected)}"
        case ChangeKind.EXTRA_CUES:
            return f"{place} is not expected: {_quoted(first.actual)}"
        case ChangeKind.TEXT:
            return f"{place}: {_words(first)}"
        case ChangeKind.ENCODING:
            same = "the same text in another encoding"
            return f"{place}: {_words(first)}, {same}" if first.words else f"{place}: {same}"
        case ChangeKind.SPLIT_OR_MERGED if first.expected and first.actual:
            was, became = first.expected.cues, first.actual.cues
            if was == became:
                return f"{place}: the words of {_cues(was)} are divided in another way"
            return f"{place}: {_cues(was)} became {became:,} with the same words"
        case ChangeKind.TIMING if first.expected and first.actual:
            return f"{place} {_moved(first.expected, first.actual)}"
        case ChangeKind.FORMATTING:
            return f"{place}: only the formatting differs"
        case _:
            return f"{place}: only the white space differs"


def _moved(expected: CueText, actual: CueText) -> str:
    start, end = actual.start_ms - expected.start_ms, actual.end_ms - expected.end_ms
    moves = [f"starts {_later(start)}"] if start else []
    if end:
        moves.append(f"ends {_later(end)}")
    return " and ".join(moves)


def _words(first: ChangedCue) -> str:
    if not first.words:
        return "its text differs"
    change = first.words[0]
    if not change.actual:
        return f"'{cut(change.expected, _QUOTED)}' is lost"
    if not change.expected:
        return f"'{cut(change.actual, _QUOTED)}' is added"
    return f"'{cut(change.expected, _QUOTED)}' became '{cut(change.actual, _QUOTED)}'"


def _phrase(kind: ChangeKind, count: int, facts: Facts) -> str:
    """A kind's part of a sentence about several."""
    if kind is ChangeKind.FORMATTING:
        return _formatting_phrase(count, facts)
    if kind is ChangeKind.TIMING_SHIFT and facts.shift_ms is None:
        return f"X-TIMESTAMP-MAP puts {_cues(count)} {_later(facts.stream_shift_ms)}"
    be, have = ("is", "has") if count == 1 else ("are", "have")
    return {
        ChangeKind.MISSING_CUES: f"{_cues(count)} {be} missing",
        ChangeKind.EXTRA_CUES: f"{_cues(count)} {be} not expected",
        ChangeKind.TEXT: f"{_cues(count)} {have} another text",
        ChangeKind.SPLIT_OR_MERGED: f"{count:,} split or merged with the same words",
        ChangeKind.TIMING: f"{_cues(count)} {have} other times",
        ChangeKind.TIMING_SHIFT: f"{_cues(count)} {_verb(_later(facts.shift_ms or 0), count)}",
        ChangeKind.TIMING_DRIFT: f"{_cues(count)} drift at the rate {rate(facts.rate)}",
        ChangeKind.WHITESPACE: "white space differs",
        ChangeKind.ENCODING: "the encoding differs",
        ChangeKind.LINE_ENDINGS: "the line endings differ",
    }[kind]


def _formatting_phrase(count: int, facts: Facts) -> str:
    if facts.formats[0] != facts.formats[1]:
        return f"the format differs: {facts.formats[0]} became {facts.formats[1]}"
    if count and sum(facts.unread) == count:
        label = facts.formats[0] if facts.unread[0] else facts.formats[1]
        lines = "1 line of times" if count == 1 else f"{count:,} lines of times"
        return f"{lines} cannot be read as {label}"
    if count and facts.rewritten_count == count:
        return "times are written in another way"
    if facts.stream_shift_ms and count == 0:
        return "X-TIMESTAMP-MAP differs"
    return "the formatting differs"


def _place(first: ChangedCue) -> str:
    cue = first.expected or first.actual
    assert cue is not None  # noqa: S101 - a changed pair has at least one side
    return f"cue {cue.number:,} at {shown(cue.start_ms)}"


def _quoted(cue: CueText | None) -> str:
    return f"'{cut(visible(' '.join(cue.text.split())), _QUOTED)}'" if cue else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _cues(count: int) -> str:
    return "1 cue" if count == 1 else f"{count:,} cues"


# Words.


def differing_words(expected: str, actual: str) -> tuple[WordChange, ...]:
    """List the words that were replaced, added or lost; of long differences, those at their start.

    What no reader sees is shown as code points. Exchanging the texts exchanges the answer.
    """
    if actual < expected:
        return tuple(
            WordChange(change.actual, change.expected)
            for change in differing_words(actual, expected)
        )
    before, after = expected.split(), actual.split()
    same = _common(before, after)
    before, after = before[same:], after[same:]
    same = _common(before[::-1], after[::-1])
    before = before[: len(before) - same][:_WORDS_COMPARED]
    after = after[: len(after) - same][:_WORDS_COMPARED]
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changes = [
        _word_change(" ".join(before[i:i_to]), " ".join(after[j:j_to]))
        for step, i, i_to, j, j_to in steps
        if step != "equal"
    ]
    return tuple(changes[:_CHANGES_SHOWN])


def _word_change(before: str, after: str) -> WordChange:
    before, after = before[: _CHARACTERS_SHOWN + 1], after[: _CHARACTERS_SHOWN + 1]
    look_alike = unicodedata.normalize("NFC", before) == unicodedata.normalize("NFC", after)
    return WordChange(cut(visible(before, marks=look_alike)), cut(visible(after, marks=look_alike)))


def _common(before: list[str], after: list[str]) -> int:
    """With how many equal words two lists begin."""
    pairs = enumerate(zip(before, after, strict=False))
    return next((at for at, (old, new) in pairs if old != new), min(len(before), len(after)))


def visible(text: str, *, marks: bool = False) -> str:
    """A text with what no reader sees as code points, with `marks` combining marks as well."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character, marks=marks) for character in text)


def _visible(character: str, *, marks: bool) -> str:
    code = ord(character)
    if _FIRST_BYTE <= code <= _LAST_BYTE:
        return f"<byte {code - _FIRST_BYTE + 0x80:02X}>"
    category = unicodedata.category(character)
    unseen = (
        category in _UNSEEN_CATEGORIES
        or character in _UNSEEN
        or any(low <= code <= high for low, high in _SELECTORS)
        or (marks and category in {"Mn", "Mc", "Me"})
        or (category == "Zs" and character != " ")
        or category == "Cs"
    )
    return f"<U+{code:04X}>" if unseen else character


def printable(text: str) -> str:
    """A text that can be encoded: bytes that belong to no character are U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def cut(text: str, most: int = _CHARACTERS_SHOWN) -> str:
    """A text of at most `most` characters, ending in an ellipsis where it was longer."""
    return text if len(text) <= most else text[: most - 1] + "…"
