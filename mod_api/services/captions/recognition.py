"""Which caption format a text is in: what it looks like first, its file name's ending second."""

from collections.abc import Callable
from itertools import islice

from mod_api.services.captions.cues import CaptionFile, CaptionFormat
from mod_api.services.captions.subrip import TIMES, read_subrip, read_webvtt
from mod_api.services.captions.transcript import read_row, read_transcript

_LINES_LOOKED_AT = 200
_READERS: dict[CaptionFormat, Callable[[str], CaptionFile]] = {
    CaptionFormat.SUBRIP: read_subrip,
    CaptionFormat.WEBVTT: read_webvtt,
    CaptionFormat.TRANSCRIPT: read_transcript,
}


def read_pair(expected: str, actual: str, extension: str) -> tuple[CaptionFile, CaptionFile] | None:
    """The cues of two texts, None where neither is in a caption format.

    Where only one is, the other is read as if it were. `extension`, with or without its dot,
    decides only where a text does not say.
    """
    formats = [_by_content(text) or _by_extension(extension) for text in (expected, actual)]
    first, second = formats[0] or formats[1], formats[1] or formats[0]
    if first is None or second is None:
        return None
    return _READERS[first](expected), _READERS[second](actual)


def _by_content(text: str) -> CaptionFormat | None:
    if text.lstrip().startswith("WEBVTT"):
        return CaptionFormat.WEBVTT
    lines = list(islice((line for line in text.split("\n") if line.strip()), _LINES_LOOKED_AT))
    if any("-->" in line and TIMES.fullmatch(line) for line in lines):
        return CaptionFormat.SUBRIP
    rows = sum(read_row(line) is not None for line in lines)
    if rows and rows * 2 >= len(lines):
        return CaptionFormat.TRANSCRIPT
    return None


def _by_extension(extension: str) -> CaptionFormat | None:
    try:
        return CaptionFormat(extension.lower().removeprefix("."))
    except ValueError:
        return None
