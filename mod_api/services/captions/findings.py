"""What changed, cue by cue: the alignment of two files with the kinds of change in it."""

from collections import Counter
from dataclasses import dataclass

from mod_api.services.captions.alignment import align
from mod_api.services.captions.cues import CaptionFile, Cue
from mod_api.services.captions.groups import Group
from mod_api.services.captions.kinds import Times, text_kinds, time_changes
from mod_api.services.captions.model import ChangedCue, CueText, WordChange
from mod_api.services.captions.words import cut, differing_words
from mod_regression.changes import ChangeKind

_MAX_CHANGED = 100
_TEXT_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class Findings:
    """How many cues each kind concerns, and the changed pairs that are shown.

    `first` is the first pair of the gravest kind; `cut_short`: the alignment is not complete.
    """

    counts: dict[ChangeKind, int]
    shift_ms: int | None
    rate: float | None
    changed: tuple[ChangedCue, ...]
    first: ChangedCue | None
    more: bool
    cut_short: bool


def find(expected: CaptionFile, actual: CaptionFile) -> Findings:
    """Align the cues of two files and say of each pair what changed."""
    alignment = align(expected.cues, actual.cues)
    kinds = [_kinds(expected, actual, group) for group in alignment.groups]
    paired = [at for at, group in enumerate(alignment.groups) if _is_pair(group)]
    times = time_changes([_times(expected, actual, alignment.groups[at]) for at in paired])
    for at, kind in zip(paired, times.kinds, strict=True):
        if kind is not None:
            kinds[at].add(kind)
    differing = [at for at, found in enumerate(kinds) if found]
    gravest = sorted(differing, key=lambda at: _gravity(kinds[at]))
    chosen = sorted(gravest[:_MAX_CHANGED])
    changed = {at: _changed(expected, actual, alignment.groups[at], kinds[at]) for at in chosen}
    return Findings(
        counts=Counter(kind for found in kinds for kind in found),
        shift_ms=times.shift_ms,
        rate=times.rate,
        changed=tuple(changed.values()),
        first=changed[gravest[0]] if gravest else None,
        more=len(differing) > len(changed),
        cut_short=not alignment.complete,
    )


def _gravity(kinds: set[ChangeKind]) -> int:
    return min(kind.gravity for kind in kinds)


def _is_pair(group: Group) -> bool:
    return group.expected_from < group.expected_to and group.actual_from < group.actual_to


def _kinds(expected: CaptionFile, actual: CaptionFile, group: Group) -> set[ChangeKind]:
    """The kinds of change in a group, those of time aside."""
    before = expected.cues[group.expected_from : group.expected_to]
    after = actual.cues[group.actual_from : group.actual_to]
    if not after:
        return {ChangeKind.MISSING_CUES}
    if not before:
        return {ChangeKind.EXTRA_CUES}
    if len(before) == len(after) == 1:
        return text_kinds(before[0], after[0])
    return {ChangeKind.SPLIT_OR_MERGED}


def _times(expected: CaptionFile, actual: CaptionFile, group: Group) -> tuple[Times, Times]:
    before = expected.cues[group.expected_from : group.expected_to]
    after = actual.cues[group.actual_from : group.actual_to]
    return (before[0].start_ms, before[-1].end_ms), (after[0].start_ms, after[-1].end_ms)


def _changed(
    expected: CaptionFile, actual: CaptionFile, group: Group, kinds: set[ChangeKind]
) -> ChangedCue:
    before = expected.cues[group.expected_from : group.expected_to]
    after = actual.cues[group.actual_from : group.actual_to]
    words: tuple[WordChange, ...] = ()
    if kinds & {ChangeKind.TEXT, ChangeKind.ENCODING}:
        words = differing_words(before[0].plain, after[0].plain)
    return ChangedCue(
        kind=next(iter(kinds)) if len(kinds) == 1 else ChangeKind.MIXED,
        expected=_text(before, group.expected_from),
        actual=_text(after, group.actual_from),
        words=words,
    )


def _text(cues: tuple[Cue, ...], place: int) -> CueText | None:
    if not cues:
        return None
    return CueText(
        number=place + 1,
        cues=len(cues),
        start_ms=cues[0].start_ms,
        end_ms=cues[-1].end_ms,
        text=cut("\n".join(cue.text for cue in cues), _TEXT_SHOWN),
    )
