"""One sentence about a caption change, for lists of errors."""

from dataclasses import dataclass

from mod_api.services.captions.model import ChangedCue, CueText
from mod_api.services.captions.timestamps import shown
from mod_api.services.captions.words import cut
from mod_regression.changes import ChangeKind

_QUOTED = 60


@dataclass(frozen=True, slots=True)
class Facts:
    """What the sentence is made of; `first` is the first pair of the gravest kind."""

    counts: dict[ChangeKind, int]
    cues_expected: int
    cues_actual: int
    shift_ms: int | None
    rate: float | None
    first: ChangedCue | None
    encodings: tuple[str, str]
    line_endings: tuple[str, str]


def too_different() -> str:
    """The sentence for files whose alignment was cut short."""
    return "The captions differ too much to say how within bounds."


def sentence(facts: Facts) -> str:
    """Say what changed, in the terms of captions, in one sentence."""
    if len(facts.counts) > 1:
        phrases = [_phrase(kind, count, facts) for kind, count in facts.counts.items()]
        text = ", ".join(phrases[:-1]) + " and " + phrases[-1]
        return f"{_capital(text)}{_example(facts.first)}."
    ((kind, count),) = facts.counts.items()
    if facts.first is None:
        return _about_the_file(kind, facts)
    if kind in (ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT):
        return _about_time(kind, count, facts, facts.first)
    if kind is ChangeKind.MISSING_CUES and count == facts.cues_expected:
        return f"All {_cues(count)} are missing." if count > 1 else "The only cue is missing."
    in_all = f"; {_cues(count)} in all" if count > 1 else ""
    return f"{_capital(_about_first(kind, facts.first))}{in_all}."


def _example(first: ChangedCue | None) -> str:
    """The end of a sentence about several kinds: where to look first."""
    if first is None:
        return ""
    if first.kind in (ChangeKind.MIXED, ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT):
        return f"; the first is {_place(first)}"
    return f"; {_about_first(first.kind, first)}"


def _about_the_file(kind: ChangeKind, facts: Facts) -> str:
    match kind:
        case ChangeKind.ENCODING:
            was, became = facts.encodings
            return f"The same captions in another encoding: {was} became {became}."
        case ChangeKind.LINE_ENDINGS:
            was, became = facts.line_endings
            return f"Only the line endings differ: {was} became {became}."
        case ChangeKind.FORMATTING:
            return "Only what stands outside the cues differs: header, numbers or notes."
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


def _verb(what: str, count: int) -> str:
    return ("starts " if count == 1 else "start ") + what


def _later(shift_ms: int) -> str:
    return f"{abs(shift_ms):,} ms {'later' if shift_ms > 0 else 'earlier'}"


def _drifting(facts: Facts) -> str:
    direction = "later" if (facts.rate or 1) > 1 else "earlier"
    return f"ever {direction}, at {facts.rate} times the expected time"


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
            return f"{place}: {_words(first)}, the same text in another encoding"
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
    change = first.words[0]
    if not change.actual:
        return f"'{cut(change.expected, _QUOTED)}' is lost"
    if not change.expected:
        return f"'{cut(change.actual, _QUOTED)}' is added"
    return f"'{cut(change.expected, _QUOTED)}' became '{cut(change.actual, _QUOTED)}'"


def _phrase(kind: ChangeKind, count: int, facts: Facts) -> str:
    """What a kind adds to a sentence about several."""
    one = count == 1
    phrases = {
        ChangeKind.MISSING_CUES: f"{_cues(count)} {'is' if one else 'are'} missing",
        ChangeKind.EXTRA_CUES: f"{_cues(count)} {'is' if one else 'are'} not expected",
        ChangeKind.TEXT: f"{_cues(count)} {'has' if one else 'have'} another text",
        ChangeKind.SPLIT_OR_MERGED: f"{count:,} split or merged with the same words",
        ChangeKind.TIMING: f"{_cues(count)} {'has' if one else 'have'} other times",
        ChangeKind.TIMING_SHIFT: f"{_cues(count)} {_verb(_later(facts.shift_ms or 0), count)}",
        ChangeKind.TIMING_DRIFT: f"{_cues(count)} drift at the rate {facts.rate}",
        ChangeKind.FORMATTING: "the formatting differs",
        ChangeKind.WHITESPACE: "white space differs",
        ChangeKind.ENCODING: "the encoding differs",
        ChangeKind.LINE_ENDINGS: "the line endings differ",
    }
    return phrases[kind]


def _place(first: ChangedCue) -> str:
    cue = first.expected or first.actual
    assert cue is not None  # noqa: S101 - a changed pair has at least one side
    return f"cue {cue.number:,} at {shown(cue.start_ms)}"


def _quoted(cue: CueText | None) -> str:
    return f"'{cut(' '.join(cue.text.split()), _QUOTED)}'" if cue else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _cues(count: int) -> str:
    return "1 cue" if count == 1 else f"{count:,} cues"
