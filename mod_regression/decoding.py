"""From the bytes of two files to their texts, keeping what decoding would hide.

Captions and lines are read with it, so that both name the same encoding.
"""

import re
from dataclasses import dataclass

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_LOOKED_AT = 1024
# Larger files are no captions here: the encoding of their start is taken for that of all.
_START_BYTES = 1024 * 1024
_SEQUENCE = rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
_WHOLE_SEQUENCE = re.compile(_SEQUENCE)
# A part of a sequence: a lead byte with continuations, or continuations alone.
_TORN_SEQUENCE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+|[\x80-\xbf]{2,}")
_HIGH_BYTE = re.compile(rb"[\x80-\xff]")
_LINE_END = re.compile("\r?\r?\n|\r")
_LINE_END_BYTES = re.compile(rb"\r?\r?\n|\r")


@dataclass(frozen=True, slots=True)
class Decoded:
    r"""A file's text with `\n` line ends, and how it was written.

    `encoding`: utf-8, utf-8-bom, utf-16-le, utf-16-be, latin-1 (Windows' additions
    included). `line_endings`: lf, crlf, cr, crcrlf, mixed, none. A byte that belongs to no
    character is a lone surrogate (U+DC80 and above), as Python's `surrogateescape` has it.
    `foreign` has the numbers, from 0, of lines of a UTF-8 file that are in Latin-1.
    """

    text: str
    encoding: str
    line_endings: str
    foreign: frozenset[int] = frozenset()


def decode_pair(expected: bytes, actual: bytes) -> tuple[Decoded, Decoded]:
    """Decode two files in the encodings they appear to be in; never fails.

    Of a file with bytes that are no UTF-8, the other file tells what they were meant to be: one
    damaged character must not change how the rest of its file is read.
    """
    first, second = _unicode(expected), _unicode(actual)
    return (
        first or _by_lines(expected, second.text if second else None),
        second or _by_lines(actual, first.text if first else None),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A file as UTF-8 with its line ends as they are, and how it was written.

    Bytes that belong to no character stay in `utf8` as they are; `valid_utf8` is false then, and
    for a file that was in Latin-1 in whole or in part.
    """

    utf8: bytes
    encoding: str
    line_endings: str
    valid_utf8: bool


def written_pair(expected: bytes, actual: bytes) -> tuple[Written, Written]:
    """Two files for a comparison line by line, in the encodings of `decode_pair`."""
    first, second = decode_pair(_start(expected), _start(actual))
    return _written(expected, first), _written(actual, second)


def _start(content: bytes) -> bytes:
    """A file's first lines."""
    if len(content) <= _START_BYTES:
        return content
    return content[: content.rfind(b"\n", 0, _START_BYTES) + 1 or _START_BYTES]


def _written(content: bytes, decoded: Decoded) -> Written:
    if decoded.encoding.startswith("utf-16"):
        marks = (mark for mark, codec in _UTF16_MARKS if codec == decoded.encoding)
        utf8 = content.removeprefix(next(marks)).decode(decoded.encoding, "replace").encode()
    elif decoded.encoding == "latin-1":
        utf8 = _windows(content).encode()
    else:
        utf8 = _with_foreign_lines(content, decoded.foreign)
    is_whole = decoded.encoding.startswith("utf-16") or _is_utf8(content)
    return Written(utf8, decoded.encoding, _line_endings(utf8.decode("latin-1")), is_whole)


def _with_foreign_lines(content: bytes, foreign: frozenset[int]) -> bytes:
    """A file in UTF-8 where these lines, numbered from 0, are in Latin-1."""
    if not foreign:
        return content
    mark = _UTF8_MARK if content.startswith(_UTF8_MARK) else b""
    # Lines, and between them how they end.
    parts = re.split(b"(" + _LINE_END_BYTES.pattern + b")", content.removeprefix(mark))
    for at in foreign:
        parts[2 * at] = _windows(parts[2 * at]).encode()
    return mark + b"".join(parts)


def _unicode(content: bytes) -> Decoded | None:
    """Decode a file that is in one Unicode encoding throughout; None for any other."""
    for mark, codec in _UTF16_MARKS:
        if content.startswith(mark):
            return _decoded(content[len(mark) :].decode(codec, "replace"), codec)
    unmarked = _unmarked_utf16(content[:_LOOKED_AT])
    if unmarked:
        return _decoded(content.decode(unmarked, "replace"), unmarked)
    try:
        text = content.removeprefix(_UTF8_MARK).decode()
    except UnicodeDecodeError:
        return None
    return _decoded(text, _utf8_name(content))


def _unmarked_utf16(start: bytes) -> str | None:
    half = len(start) // 2
    if half < 2:
        return None
    if start[1::2].count(0) * 2 > half:
        return "utf-16-le"
    if start[0::2].count(0) * 2 > half:
        return "utf-16-be"
    return None


def _utf8_name(content: bytes) -> str:
    return "utf-8-bom" if content.startswith(_UTF8_MARK) else "utf-8"


def _by_lines(content: bytes, other: str | None) -> Decoded:
    """Decode a file with bytes that are no UTF-8: as Latin-1, or line by line.

    A file is Latin-1 where no line has a whole sequence of UTF-8, and its lines are those of
    `other`, or several of them look like Latin-1.
    """
    endings = _line_endings(content.decode("latin-1"))
    lines = _LINE_END_BYTES.sub(b"\n", content.removeprefix(_UTF8_MARK)).split(b"\n")
    beyond_ascii = [at for at, line in enumerate(lines) if not line.isascii()]
    invalid = [at for at in beyond_ascii if not _is_utf8(lines[at])]
    known = {line for line in (other or "").split("\n") if not line.isascii()}
    same = {at for at in invalid if _windows(lines[at]) in known}
    alike = {at for at in invalid if _looks_like_latin(lines[at])}
    # One byte alone may as well be damage, unless neither file is in UTF-8.
    foreign = same | alike if len(same | alike) > 1 or other is None else same
    mixed = any(at not in foreign and _WHOLE_SEQUENCE.search(lines[at]) for at in beyond_ascii)
    if foreign and not mixed and len(foreign) * 2 >= len(invalid):
        text = _windows(_LINE_END_BYTES.sub(b"\n", content))
        return Decoded(text, "latin-1", endings)
    texts = [
        _windows(line) if at in foreign else line.decode("utf-8", "surrogateescape")
        for at, line in enumerate(lines)
    ]
    return Decoded("\n".join(texts), _utf8_name(content), endings, frozenset(foreign))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _looks_like_latin(line: bytes) -> bool:
    """Return whether high bytes of a line stand alone, as letters do, and are no torn sequences."""
    if _WHOLE_SEQUENCE.search(line):
        return False
    torn = len(_TORN_SEQUENCE.findall(line))
    return len(_HIGH_BYTE.findall(_TORN_SEQUENCE.sub(b"", line))) > torn


def _windows(content: bytes) -> str:
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _decoded(text: str, encoding: str) -> Decoded:
    endings = _line_endings(text)
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    return Decoded(text, encoding, endings)


def _line_endings(text: str) -> str:
    doubled, both = text.count("\r\r\n"), text.count("\r\n")
    counts = {
        "crcrlf": doubled,
        "crlf": both - doubled,
        "lf": text.count("\n") - both,
        "cr": text.count("\r") - both - doubled,
    }
    found = [name for name, count in counts.items() if count]
    return found[0] if len(found) == 1 else "mixed" if found else "none"
