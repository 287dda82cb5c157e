"""What kind of change there is between two caption files, on the whole."""

from mod_api.services.captions import wording
from mod_api.services.captions.cues import CaptionFile
from mod_api.services.captions.decoding import Decoded, decode
from mod_api.services.captions.findings import Findings, find
from mod_api.services.captions.model import CaptionComparison, ChangedCue, Location
from mod_api.services.captions.recognition import read_pair
from mod_regression.changes import ChangeKind

# Raised whenever the same two files may be classified in another way than before, for whoever
# keeps classifications.
RULES_VERSION = 2

# Of either file; what is larger is not classified.
MAX_BYTES = 8 * 1024 * 1024
MAX_CUES = 50_000

_LOOKED_AT_BYTES = 64 * 1024


def classify(expected: bytes, actual: bytes, extension: str) -> CaptionComparison | None:
    """Say what changed between two caption files; None where they are no captions.

    SubRip, WebVTT and CCExtractor's timed transcript, recognised by what they contain, then
    by `extension` (with or without its dot). Bounded: files above 8 MiB or 50,000 cues, and
    files too different to be aligned, are `mixed` and `truncated`. Raises nothing.
    """
    if max(len(expected), len(actual)) > MAX_BYTES:
        starts = [decode(content[:_LOOKED_AT_BYTES]).text for content in (expected, actual)]
        return _too_large(None, None) if read_pair(starts[0], starts[1], extension) else None
    before, after = decode(expected), decode(actual)
    files = read_pair(before.text, after.text, extension)
    if files is None or not (files[0].cues or files[1].cues):
        return None
    if expected == actual:
        return _identical(len(files[0].cues))
    if max(len(file.cues) for file in files) > MAX_CUES:
        return _too_large(len(files[0].cues), len(files[1].cues))
    return _different(before, after, *files)


def _different(
    before: Decoded, after: Decoded, expected: CaptionFile, actual: CaptionFile
) -> CaptionComparison:
    findings = find(expected, actual)
    of_the_files = _of_the_files(before, after, expected, actual, findings)
    counts = {
        kind: max(findings.counts.get(kind, 0), of_the_files.get(kind, 0))
        for kind in ChangeKind
        if kind in findings.counts or kind in of_the_files
    }
    kind = next(iter(counts)) if len(counts) == 1 else ChangeKind.MIXED
    facts = wording.Facts(
        counts=counts,
        cues_expected=len(expected.cues),
        cues_actual=len(actual.cues),
        shift_ms=findings.shift_ms,
        rate=findings.rate,
        first=findings.first,
        encodings=(before.encoding, after.encoding),
        line_endings=(before.line_endings, after.line_endings),
    )
    return CaptionComparison(
        kind=ChangeKind.MIXED if findings.cut_short else kind,
        kinds=counts,
        cues_expected=len(expected.cues),
        cues_actual=len(actual.cues),
        shift_ms=findings.shift_ms,
        rate=findings.rate,
        changed=findings.changed,
        truncated=findings.more or findings.cut_short,
        message=wording.too_different() if findings.cut_short else wording.sentence(facts),
        location=_location(findings.first),
    )


def _of_the_files(
    before: Decoded,
    after: Decoded,
    expected: CaptionFile,
    actual: CaptionFile,
    findings: Findings,
) -> dict[ChangeKind, int]:
    """The kinds that concern the files as a whole, or only what is outside of their cues."""
    cues = max(len(expected.cues), len(actual.cues))
    kinds: dict[ChangeKind, int] = {}
    if before.encoding != after.encoding:
        kinds[ChangeKind.ENCODING] = cues
    endings = {before.line_endings, after.line_endings} - {"none"}
    # Two files may mix line endings each in its own way.
    same_text = before.text == after.text and before.encoding == after.encoding
    if len(endings) > 1 or same_text:
        kinds[ChangeKind.LINE_ENDINGS] = cues
    if expected.format != actual.format:
        kinds[ChangeKind.FORMATTING] = cues
    elif _notes(expected) != _notes(actual):
        kinds[ChangeKind.FORMATTING] = 0
    if not kinds and not findings.counts:
        # Numbers of cues follow from which cues there are: alone they are a change.
        numbered = expected.outside != actual.outside
        kinds[ChangeKind.FORMATTING if numbered else ChangeKind.WHITESPACE] = 0
    return kinds


def _notes(file: CaptionFile) -> list[str]:
    return [word for word in file.outside.split() if not word.isdigit()]


def _location(first: ChangedCue | None) -> Location | None:
    cue = first and (first.expected or first.actual)
    return Location(cue.number, cue.start_ms) if cue else None


def _identical(cues: int) -> CaptionComparison:
    return CaptionComparison(
        kind=ChangeKind.IDENTICAL,
        kinds={ChangeKind.IDENTICAL: cues},
        cues_expected=cues,
        cues_actual=cues,
        shift_ms=None,
        rate=None,
        changed=(),
        truncated=False,
        message="The captions are identical.",
        location=None,
    )


def _too_large(cues_expected: int | None, cues_actual: int | None) -> CaptionComparison:
    return CaptionComparison(
        kind=ChangeKind.MIXED,
        kinds={},
        cues_expected=cues_expected,
        cues_actual=cues_actual,
        shift_ms=None,
        rate=None,
        changed=(),
        truncated=True,
        message="The captions differ and are too large to say how.",
        location=None,
    )
