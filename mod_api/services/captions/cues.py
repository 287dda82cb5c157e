"""A cue, and what remains of its text without markup."""

import html
import re
from dataclasses import dataclass
from enum import StrEnum

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_NUMERIC_REFERENCE = re.compile(r"&#(?:([0-9]+)|[xX]([0-9a-fA-F]+));?")
_LONGEST_NUMBER = 7  # digits of the last code point
_WEBVTT_TAG = re.compile(r"</?[A-Za-z0-9.:][^<>]*>|</>|\{\\[^{}]*\}")


class CaptionFormat(StrEnum):
    """The formats that are understood."""

    SUBRIP = "srt"
    WEBVTT = "vtt"
    TRANSCRIPT = "ttxt"


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption: `start_ms` to `end_ms`, its text as it stands in the file, lines by newline.

    `style` is what stands beside its times: WebVTT's settings, a transcript's columns.
    `bare` is the text without tags; `plain` is that with each run of white space one space.
    """

    start_ms: int
    end_ms: int
    text: str
    style: str
    bare: str
    plain: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptionFile:
    """The cues of a file in its order, and everything outside of them: header, numbers, notes."""

    format: CaptionFormat
    cues: tuple[Cue, ...]
    outside: str


def make_cue(start_ms: int, end_ms: int, text: str, style: str, format_: CaptionFormat) -> Cue:
    """A cue with its text taken apart by the rules of its format."""
    if format_ is CaptionFormat.WEBVTT:
        tag = _WEBVTT_TAG
        bare = _unescaped(tag.sub("", text))
    else:
        tag = _TAG
        bare = tag.sub("", text)
    tags = tuple(tag.findall(text)) if bare != text else ()
    return Cue(start_ms, end_ms, text, style, bare, " ".join(bare.split()), tags)


def _unescaped(text: str) -> str:
    """Resolve character references. One above the last code point is U+FFFD, as HTML says.

    `html.unescape` alone converts numbers of any length, which Python refuses above 4,300 digits.
    """
    if "&" not in text:
        return text
    return html.unescape(_NUMERIC_REFERENCE.sub(_short_reference, text))


def _short_reference(found: re.Match[str]) -> str:
    decimal, hexadecimal = found.groups()
    number = (decimal or hexadecimal).lstrip("0") or "0"
    if len(number) > _LONGEST_NUMBER:
        return "\ufffd"
    return f"&#{number};" if decimal else f"&#x{number};"
