"""What a comparison of two caption files says: frozen values. All times are milliseconds."""

from dataclasses import dataclass

from mod_regression.changes import ChangeKind


@dataclass(frozen=True, slots=True)
class WordChange:
    """Words that were replaced; either side is empty where words were only added or lost."""

    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class CueText:
    """One side of a changed pair: from its first cue's start to its last cue's end.

    `number` counts the file's cues from 1; `cues` is above 1 where cues were split or merged.
    `text` is as it stands in the file, cut at 1,000 characters.
    """

    number: int
    cues: int
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class ChangedCue:
    """One pair that differs; a side is None where the cue is missing or extra."""

    kind: ChangeKind
    expected: CueText | None
    actual: CueText | None
    words: tuple[WordChange, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """The first changed cue, of the gravest kind: its number in its file, and its start."""

    number: int
    start_ms: int


@dataclass(frozen=True, slots=True)
class CaptionComparison:
    """How two caption files differ.

    `kinds` says how many cues each kind concerns, the gravest kind first; a cue that was
    moved and reworded counts in both. `shift_ms` is how much later cues are (`timing_shift`),
    `rate` by what their times are multiplied (`timing_drift`).
    `changed` has up to 100 pairs in the order of the files; where there are more, the gravest
    are chosen and `truncated` is true. It is also true where the files were too large or too
    different to be aligned within bounds; `kind` is `mixed` then, and the numbers of cues are
    None for files that were not even read.
    `message` is one sentence. `location` is None where no cue changed.
    """

    kind: ChangeKind
    kinds: dict[ChangeKind, int]
    cues_expected: int | None
    cues_actual: int | None
    shift_ms: int | None
    rate: float | None
    changed: tuple[ChangedCue, ...]
    truncated: bool
    message: str
    location: Location | None


# The answer about a pair whose comparison failed.
NOT_COMPARED = CaptionComparison(
    kind=ChangeKind.MIXED,
    kinds={},
    cues_expected=None,
    cues_actual=None,
    shift_ms=None,
    rate=None,
    changed=(),
    truncated=True,
    message="The captions differ and could not be compared.",
    location=None,
)
