"""Caption formats, the cues of a file, and the markup within their texts."""

import html
import re
from enum import StrEnum
from typing import NamedTuple


class CaptionFormat(StrEnum):
    """The formats that are recognized, by their usual extensions."""

    SUBRIP = "srt"
    WEBVTT = "vtt"
    TRANSCRIPT = "ttxt"
    SAMI = "smi"
    TTML = "ttml"
    SSA = "ass"
    SCC = "scc"
    MCC = "mcc"

    @property
    def label(self) -> str:
        """The format's name in a sentence."""
        return _LABELS[self]


_LABELS = {
    CaptionFormat.SUBRIP: "SubRip",
    CaptionFormat.WEBVTT: "WebVTT",
    CaptionFormat.TRANSCRIPT: "a timed transcript",
    CaptionFormat.SAMI: "SAMI",
    CaptionFormat.TTML: "TTML",
    CaptionFormat.SSA: "SSA",
    CaptionFormat.SCC: "SCC",
    CaptionFormat.MCC: "MCC",
}
_OTHER_EXTENSIONS = {
    "webvtt": CaptionFormat.WEBVTT,
    "sami": CaptionFormat.SAMI,
    "dfxp": CaptionFormat.TTML,
    "ssa": CaptionFormat.SSA,
}


def format_of(extension: str) -> CaptionFormat | None:
    """The format that a file name's extension stands for, with or without its dot."""
    name = extension.lower().removeprefix(".")
    try:
        return CaptionFormat(name)
    except ValueError:
        return _OTHER_EXTENSIONS.get(name)


class Cue(NamedTuple):
    """One caption: its times in milliseconds, and its text as it stands in the file.

    `times` is how its times are written; `style` stands beside them: WebVTT's settings, SubRip's
    coordinates, a transcript's columns. `label` is its number or identifier. A cue whose times
    cannot be read (`is_timed` false) stands at the end of the cue before it. `is_foreign`: its
    text is in Latin-1 within a file of UTF-8.
    """

    start_ms: int
    end_ms: int
    text: str
    times: str = ""
    style: str = ""
    label: str = ""
    is_timed: bool = True
    is_foreign: bool = False


class CaptionFile(NamedTuple):
    """The cues of a file in its order, and the lines outside of them.

    `outside` has headers, notes and styles, `unread` lines that have no place in the format.
    `stream_ms` is where X-TIMESTAMP-MAP puts a cue of time 0. `is_too_large`: reading stopped at
    a limit, and cues are missing.
    """

    format: CaptionFormat
    cues: list[Cue]
    outside: list[str]
    unread: list[str]
    stream_ms: int | None = None
    is_too_large: bool = False


_OVERRIDE = r"\{\\[^{}]*\}"
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# SubRip has these tags; anything else in angle brackets is text, as CEA-608 can send it.
_SUBRIP_TAG = re.compile(rf"</?(?:b|i|u|s|font)(?:\s[^<>]*)?/?>|{_OVERRIDE}", re.IGNORECASE)
_WEBVTT_TAG = re.compile(rf"</?[A-Za-z0-9.:][^<>]*>|</>|{_OVERRIDE}")
_XML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_SSA_TAG = re.compile(r"\{[^{}]*\}")
_TAGS = {
    CaptionFormat.WEBVTT: _WEBVTT_TAG,
    CaptionFormat.SAMI: _XML_TAG,
    CaptionFormat.TTML: _XML_TAG,
    CaptionFormat.SSA: _SSA_TAG,
}
_HAS_REFERENCES = {CaptionFormat.WEBVTT, CaptionFormat.SAMI, CaptionFormat.TTML}
_HAS_BREAKS = {CaptionFormat.SUBRIP, CaptionFormat.TRANSCRIPT}
_NUMERIC_REFERENCE = re.compile(r"&#(?:([0-9]+)|[xX]([0-9a-fA-F]+));?")
_LONGEST_NUMBER = 7  # digits of the last code point
_NO_LETTER = re.compile(r"[\W_]+")


class Texts:
    """Takes the markup of one format out of texts; keeps what it found of each text."""

    def __init__(self, format_: CaptionFormat) -> None:
        self.format = format_
        self._tag = _TAGS.get(format_, _SUBRIP_TAG)
        self._has_breaks = format_ in _HAS_BREAKS
        self._has_references = format_ in _HAS_REFERENCES
        self._plain: dict[str, str] = {}
        self._letters: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def bare(self, text: str) -> str:
        """The text without tags, with its references resolved."""
        if "<" in text or "{" in text:
            if self._has_breaks:
                text = _BREAK.sub("\n", text)
            text = self._tag.sub("", text)
        return unescaped(text) if self._has_references and "&" in text else text

    def plain(self, text: str) -> str:
        """The bare text with each run of white space one space."""
        found = self._plain.get(text)
        if found is None:
            found = self._plain[text] = " ".join(self.bare(text).split())
        return found

    def letters(self, text: str) -> str:
        """The plain text without white space, equal where all words are equal."""
        found = self._letters.get(text)
        if found is None:
            found = self._letters[text] = squeezed(self.plain(text))
        return found

    def key(self, text: str) -> str:
        """The letters and digits of a text, whatever their case: changed texts are known by it."""
        found = self._keys.get(text)
        if found is None:
            plain = self.plain(text)
            found = self._keys[text] = _NO_LETTER.sub("", plain).casefold() or plain
        return found

    def tags(self, text: str) -> list[str]:
        """The tags within a text, in order."""
        return self._tag.findall(text)


def unescaped(text: str) -> str:
    """Resolve character references. One above the last code point is U+FFFD, as HTML says.

    `html.unescape` alone converts numbers of any length, which Python refuses above 4,300 digits.
    """
    return html.unescape(_NUMERIC_REFERENCE.sub(_short_reference, text))


def _short_reference(found: re.Match[str]) -> str:
    decimal, hexadecimal = found.groups()
    number = (decimal or hexadecimal).lstrip("0") or "0"
    if len(number) > _LONGEST_NUMBER:
        return "\ufffd"
    return f"&#{number};" if decimal else f"&#x{number};"


def squeezed(text: str) -> str:
    """A text without white space."""
    return "".join(text.split())
