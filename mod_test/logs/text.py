"""From raw bytes to text that can break neither JSON nor a terminal."""

import re

MESSAGE_CHARACTERS = 4000

# Bytes of text that are never shown: C0 controls but tab and newline, and DEL.
CONTROL_BYTES = bytes([*range(9), *range(11, 32), 127])

# No part of a sequence holds what begins one, or the search from each beginning would go over the
# others: a line of beginnings only would take time by the square of its length.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI: colors, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x80-\x9f\n]*+(?:\x07|\x1b\\|\x9c)"  # OSC, DCS
    r"|\x1b[ -/]*+[0-~]"  # character sets, resets, and the start of a broken-off sequence
)
_CONTROLS = dict.fromkeys([*CONTROL_BYTES, *range(0x80, 0xA0)])
_C1_ENCODED = re.compile(rb"\xc2[\x80-\x9f]")
_LOWER = bytes(range(256)).lower()


def clean(raw: bytes) -> str:
    """Text of raw bytes: invalid UTF-8 replaced, ANSI sequences and controls removed.

    Tabs and newlines stay; nothing that is removed ever spans a newline, so cleaning
    several lines at once and one by one comes to the same.
    """
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    # Without an escape or a C1 control there are no sequences, and the search is the slow part.
    if "\x1b" in text or not text.isascii():
        text = _ANSI.sub("", text)
    return text.translate(_CONTROLS)


def cut(text: str) -> str:
    """The text, of at most 4,000 characters; what was longer ends in `…`."""
    if len(text) <= MESSAGE_CHARACTERS:
        return text
    return text[: MESSAGE_CHARACTERS - 1] + "…"


def fold(text: str) -> bytes:
    """UTF-8 in which ASCII letters are lower case: what `contains` compares."""
    return text.encode("utf-8", "replace").lower()


def folded_if_plain(raw: bytes) -> bytes | None:
    """The bytes with ASCII letters in lower case, when cleaning would remove nothing.

    Byte by byte they lie where the raw ones do. None when there is something to remove.
    """
    # One pass lowers and drops controls; a shorter result betrays that there were any.
    folded = raw.translate(_LOWER, CONTROL_BYTES)
    if len(folded) != len(raw) or (b"\xc2" in folded and _C1_ENCODED.search(folded)):
        return None
    return folded
