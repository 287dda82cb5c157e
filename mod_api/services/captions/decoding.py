"""From a caption file's bytes to its text, keeping what decoding would hide."""

from dataclasses import dataclass

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8", "utf-8-bom"),
    (b"\xff\xfe", "utf-16-le", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be", "utf-16-be"),
)
_LOOKED_AT = 1024
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True, slots=True)
class Decoded:
    r"""A file's text with `\n` line ends, and how it was written.

    `encoding`: utf-8, utf-8-bom, utf-16-le, utf-16-be, latin-1 (Windows' additions
    included). `line_endings`: lf, crlf, cr, mixed, none.
    """

    text: str
    encoding: str
    line_endings: str


def decode(content: bytes) -> Decoded:
    """Decode caption bytes in whatever encoding they appear to be; never fails."""
    text, encoding = _text(content)
    both = text.count("\r\n")
    counts = {
        "crlf": both,
        "lf": text.count("\n") - both,
        "cr": text.count("\r") - both,
    }
    found = [name for name, count in counts.items() if count]
    return Decoded(
        text=text.replace("\r\n", "\n").replace("\r", "\n"),
        encoding=encoding,
        line_endings=found[0] if len(found) == 1 else "mixed" if found else "none",
    )


def _text(content: bytes) -> tuple[str, str]:
    for mark, codec, name in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(codec, "replace"), name
    unmarked = _unmarked_utf16(content[:_LOOKED_AT])
    if unmarked:
        return content.decode(unmarked, "replace"), unmarked
    text = content.decode("utf-8", "replace")
    # One damaged character does not make a file Latin-1: that would change every accented
    # letter in it, and hide the one place where something happened.
    broken = text.count(_REPLACEMENT)
    if broken == 0 or broken * 4 <= sum(not character.isascii() for character in text) - broken:
        return text, "utf-8"
    return _windows(content), "latin-1"


def _unmarked_utf16(start: bytes) -> str | None:
    half = len(start) // 2
    if half < 2:
        return None
    if start[1::2].count(0) * 2 > half:
        return "utf-16-le"
    if start[0::2].count(0) * 2 > half:
        return "utf-16-be"
    return None


def _windows(content: bytes) -> str:
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")
