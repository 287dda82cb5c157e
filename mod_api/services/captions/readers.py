"""Reads the cues of caption files in each format, and stops at the limits while reading.

Readers of libraries lose what a regression test has to see: cue settings and identifiers, white
space, a last line of digits.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from mod_api.services.captions.formats import (
    CaptionFile,
    CaptionFormat,
    Cue,
    format_of,
    unescaped,
)
from mod_api.services.captions.times import INVISIBLE, TIMES, clock_ms, is_like_times, row_ms
from mod_regression.decoding import Decoded

# Of either file. Cues of four lines of text fill both.
MAX_CUES = 50_000
MAX_LINES = 300_000
MAX_TEXT = 65_536  # characters of a cue

_LINES_LOOKED_AT = 200
_START_LOOKED_AT = 16_384
_SIGNATURES = (
    (re.compile(r"\[Script Info\]", re.IGNORECASE), CaptionFormat.SSA),
    (re.compile(r"Scenarist_SCC"), CaptionFormat.SCC),
    (re.compile(r"File Format=MacCaption_MCC"), CaptionFormat.MCC),
)
_SAMI = re.compile(r"<SAMI\b|<SYNC\s+start", re.IGNORECASE)
_TTML = re.compile(r"<(?:[A-Za-z]\w*:)?tt[\s>]")
_DOTTED = re.compile(r"[0-9]\.[0-9]")


def read_pair(
    expected: Decoded, actual: Decoded, extension: str
) -> tuple[CaptionFile, CaptionFile] | None:
    """Read two files; None where neither is in a caption format, nor has a caption's extension.

    What a text contains decides on its format, then the other text, then `extension`.
    """
    by_extension = format_of(extension)
    formats = [
        _by_content(file.text[:_START_LOOKED_AT].split("\n"), by_extension)
        for file in (expected, actual)
    ]
    first = formats[0] or formats[1] or by_extension
    second = formats[1] or formats[0] or by_extension
    if first is None or second is None:
        return None
    known: dict[str, Cue] = {}
    return _read(expected, first, known), _read(actual, second, known)


def _by_content(lines: list[str], by_extension: CaptionFormat | None) -> CaptionFormat | None:
    start = "\n".join(lines).lstrip(_INVISIBLES + " \t\n")
    if start.startswith("WEBVTT"):
        return CaptionFormat.WEBVTT
    for signature, format_ in _SIGNATURES:
        if signature.match(start):
            return format_
    full = list(islice((line for line in lines if line.strip()), _LINES_LOOKED_AT))
    timed = [line for line in full if "->" in line and TIMES.fullmatch(line)]
    if timed:
        # Without its header a file is WebVTT where it is named so and writes times so.
        dotted = sum(_DOTTED.search(line) is not None for line in timed) * 2 > len(timed)
        is_webvtt = by_extension is CaptionFormat.WEBVTT and dotted
        return CaptionFormat.WEBVTT if is_webvtt else CaptionFormat.SUBRIP
    if _SAMI.search(start):
        return CaptionFormat.SAMI
    if _TTML.search(start):
        return CaptionFormat.TTML
    rows = sum(_row(line) is not None for line in full)
    if rows and rows * 2 >= len(full):
        return CaptionFormat.TRANSCRIPT
    return None


_INVISIBLES = (
    "".join(
        chr(code)
        for low, high in ((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2060), (0x2066, 0x2069))
        for code in range(low, high + 1)
    )
    + "\ufeff"
)


def _read(decoded: Decoded, format_: CaptionFormat, known: dict[str, Cue]) -> CaptionFile:
    found = CaptionFile(format_, [], [], [])
    text, foreign = decoded.text, decoded.foreign
    if text.count("\n") >= MAX_LINES:
        return found._replace(is_too_large=True)
    if format_ is CaptionFormat.SUBRIP and not foreign:
        cues = _read_plain_subrip(text, known)
        if cues is not None:
            return found._replace(cues=cues)
    for cue, first, end in _READERS.get(format_, _unread)(text.split("\n"), found):
        if len(found.cues) == MAX_CUES or len(cue.text) > MAX_TEXT:
            return found._replace(is_too_large=True)
        is_foreign = bool(foreign) and not foreign.isdisjoint(range(first, end))
        found.cues.append(cue._replace(is_foreign=True) if is_foreign else cue)
    if format_ is CaptionFormat.WEBVTT:
        return found._replace(stream_ms=_stream_ms(found.outside))
    return found


class _Placed(NamedTuple):
    """A cue and the lines that its text came from."""

    cue: Cue
    first: int
    end: int


def _unread(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read a format that is recognized only: all its lines are unread."""
    file.unread.extend(line for line in lines if line.strip())
    yield from ()


# SubRip and WebVTT: cues under a line `start --> end`.

_NUMBER = re.compile(rf"[\s{INVISIBLE}]*[0-9]+[\s{INVISIBLE}]*")
_MOST_DIGITS = 9


class _Head(NamedTuple):
    """A line of times; `found` is None where it only looks like one."""

    at: int
    found: re.Match[str] | None


def _heads(lines: list[str]) -> list[_Head]:
    heads = []
    for at, line in enumerate(lines):
        if "->" in line or "- >" in line:
            found = TIMES.fullmatch(line)
            if found is not None:
                heads.append(_Head(at, found))
                continue
        if ":" in line and is_like_times(line):
            above = lines[at - 1] if at else ""
            if not above.strip() or _NUMBER.fullmatch(above):
                heads.append(_Head(at, None))
    return heads


def _cue(line: str, head: _Head, text: str, label: str, last_end_ms: int) -> Cue:
    found = head.found
    if found is None:
        return Cue(last_end_ms, last_end_ms, text, line, "", label, is_timed=False)
    style = found[3]
    times = line[: found.start(3)].rstrip() if style else line
    return Cue(
        clock_ms(found[1]),
        clock_ms(found[2]),
        text,
        times,
        " ".join(style.split()) if style else "",
        label,
    )


def _is_only_text(words: str) -> bool:
    """Whether no line of a text can be taken for a line of times."""
    return ":" not in words or (
        "->" not in words and not any(map(is_like_times, words.split("\n")))
    )


_PLAIN_CUE = re.compile(
    r"([0-9]{1,9})\n([0-9]{2}:[0-9]{2}:)([0-9]{2}),([0-9]{3})"
    r" --> ([0-9]{2}:[0-9]{2}:)([0-9]{2}),([0-9]{3})\n(?s:(.*))"
)
_TIMES_LENGTH = len("00:00:00,000 --> 00:00:00,000")
_FEWEST_CUES = 100


def _read_plain_subrip(text: str, known: dict[str, Cue]) -> list[Cue] | None:
    """Read SubRip as it is mostly written, in large files; None for any other.

    `known` are the cues of paragraphs that were read before: most are the same in both files.
    """
    paragraphs = text.rstrip("\n").split("\n\n", MAX_CUES)
    if not _FEWEST_CUES <= len(paragraphs) <= MAX_CUES:
        return None
    minutes: dict[str, int] = {}
    cues = []
    for paragraph in paragraphs:
        cue = known.get(paragraph)
        if cue is None:
            found = _PLAIN_CUE.fullmatch(paragraph)
            if found is None:
                return None
            label, start, start_s, start_ms, end, end_s, end_ms, words = found.groups()
            if len(words) > MAX_TEXT or words[-1:].isspace() or not _is_only_text(words):
                return None
            for clock in (start, end):
                if clock not in minutes:
                    minutes[clock] = (int(clock[:2]) * 60 + int(clock[3:5])) * 60_000
            times_at = len(label) + 1
            cue = known[paragraph] = Cue(
                minutes[start] + int(start_s + start_ms),
                minutes[end] + int(end_s + end_ms),
                words,
                paragraph[times_at : times_at + _TIMES_LENGTH],
                "",
                label,
            )
        cues.append(cue)
    return cues


def _read_subrip(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read SubRip: a number, a line of times, and text until the next number."""
    heads = _heads(lines)
    label, first = _label(lines, 0, heads[0].at, 0) if heads else ("", len(lines))
    file.unread.extend(line for line in lines[:first] if line.strip())
    last_end_ms = 0
    for place, head in enumerate(heads):
        start = head.at + 1
        if place + 1 < len(heads):
            next_label, end = _label(lines, start, heads[place + 1].at, _number(label) + 1)
        else:
            next_label, end = "", len(lines)
        text_end = end
        while text_end > start and not lines[text_end - 1].strip():
            text_end -= 1
        cues = list(_without_times(lines, start, text_end, label))
        text_end = cues[0][1] - 1 if cues else text_end
        while text_end > start and not lines[text_end - 1].strip():
            text_end -= 1
        cue = _cue(lines[head.at], head, "\n".join(lines[start:text_end]), label, last_end_ms)
        yield _Placed(cue, start, text_end)
        last_end_ms = cue.end_ms
        for lost, first, last in cues:
            text = "\n".join(lines[first:last]).rstrip()
            untimed = Cue(last_end_ms, last_end_ms, text, "", "", lost, is_timed=False)
            yield _Placed(untimed, first, last)
        label = next_label


def _without_times(
    lines: list[str], start: int, end: int, label: str
) -> Iterator[tuple[str, int, int]]:
    """Cues within a text whose line of times is lost: number, and the lines of their text.

    A number is believed to be one that stands below an empty line and follows the one before.
    """
    if label == "" or not any(not line.strip() for line in lines[start:end]):
        return
    expected = _number(label) + 1
    places = []
    for at in range(start + 1, end - 1):
        stands_alone = not lines[at - 1].strip() and lines[at + 1].strip()
        if stands_alone and _number(_clean(lines[at])) == expected:
            places.append(at)
            expected += 1
    for at, upto in zip(places, [*places[1:], end], strict=False):
        yield _clean(lines[at]), at + 1, upto


def _label(lines: list[str], start: int, head: int, expected: int) -> tuple[str, int]:
    """The number above a line of times, and the line where the text before it ends.

    Empty lines between a number and its times are an error that is common enough: the number is
    believed where it stands alone and follows the one before.
    """
    if head > start and _NUMBER.fullmatch(lines[head - 1]):
        return _clean(lines[head - 1]), head - 1
    at = head - 1
    while at >= start and not lines[at].strip():
        at -= 1
    alone = at == start or (at > start and not lines[at - 1].strip())
    if at >= start and alone and _NUMBER.fullmatch(lines[at]):
        label = _clean(lines[at])
        if _number(label) == expected or head == start:
            return label, at
    return "", head


def _clean(label: str) -> str:
    return label.strip(_INVISIBLES + " \t")


def _number(label: str) -> int:
    return int(label) if label.isdigit() and len(label) <= _MOST_DIGITS else -1


_STREAM_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=(.*)")
_MPEGTS = re.compile(r"MPEGTS:([0-9]{1,12})(?![0-9])")
_LOCAL = re.compile(r"LOCAL:([0-9:.]{1,32})(?![0-9:.])")
_TICKS_PER_MS = 90


def _read_webvtt(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read WebVTT: a cue ends at the first empty line, as the standard says."""
    last_end_ms = done = 0
    heads = _heads(lines)
    for place, head in enumerate(heads):
        label_at = head.at
        while label_at > done and lines[label_at - 1].strip():
            label_at -= 1
        file.outside.extend(line.strip() for line in lines[done:label_at] if line.strip())
        label = "\n".join(lines[label_at : head.at])
        end = head.at + 1
        limit = heads[place + 1].at if place + 1 < len(heads) else len(lines)
        while end < limit and lines[end].strip():
            end += 1
        cue = _cue(
            lines[head.at], head, "\n".join(lines[head.at + 1 : end]), _clean(label), last_end_ms
        )
        yield _Placed(cue, head.at + 1, end)
        last_end_ms, done = cue.end_ms, end
    file.outside.extend(line.strip() for line in lines[done:] if line.strip())


def _stream_ms(outside: list[str]) -> int | None:
    """Where X-TIMESTAMP-MAP puts time 0 in the stream (RFC 8216, 3.5)."""
    for line in outside:
        found = _STREAM_MAP.match(line)
        if found is None:
            continue
        ticks, local = _MPEGTS.search(found[1]), _LOCAL.search(found[1])
        times = TIMES.fullmatch(f"{local[1]} --> {local[1]}") if local else None
        if ticks is not None:
            offset_ms = clock_ms(times[1]) if times else 0
            return round(int(ticks[1]) / _TICKS_PER_MS) - offset_ms
    return None


# CCExtractor's timed transcript: `start|end|channel|mode|text`, all but the start optional.

# Caption channels, teletext pages (which some versions do not divide from the mode), languages,
# modes, classes of XDS. An empty column is a mode that was not known.
_COLUMN = re.compile(
    r"(?:CC[0-9?]|[0-9]{3}(?:TLT)?|[a-z]{3}|POP|PAI|RU[1-4]|TXT|TLT|DVB|ISDB|708|\?\?\?"
    r"|XDS(?:\|(?:CUR|FUT|CHN|MIS|PUB|RES|PRV|END))?|)\|"
)
_MAX_COLUMNS = 4
_DAMAGED_ROW = re.compile(r"[^|]{4,24}\|(?:[^|]{1,24}\|)?")
_DIGITS_OF_A_TIME = 6
_LIKE_A_TIME = re.compile(r"[^|]{0,8}[0-9:.,]{4,24}[^|]{0,8}")


class _Row(NamedTuple):
    start_ms: int
    end_ms: int
    times: str
    columns: str
    text: str


def _read_transcript(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read a transcript. Each row of a screen is a line there: rows of equal times are one cue."""
    row: _Row | None = None
    texts: list[str] = []
    first = 0
    end_ms = 0
    for at, line in enumerate(lines):
        found = _row(line)
        damaged = found is None and _is_damaged_row(line)
        if found is None and not damaged:
            if line.strip():
                # A line without times belongs to the cue above it.
                (texts if row else file.unread).append(line)
            continue
        if row and found and row[:2] == found[:2] and row.columns == found.columns:
            texts.append(found.text)
            continue
        if row:
            yield _Placed(_row_cue(row, texts), first, at)
            row = None
        if found is None:
            yield _Placed(_damaged_cue(line, end_ms), at, at + 1)
        else:
            row, texts, first, end_ms = found, [found.text], at, found.end_ms
    if row:
        yield _Placed(_row_cue(row, texts), first, len(lines))


def _row(line: str) -> _Row | None:
    """One line taken apart, None where it does not begin with a time."""
    first, bar, rest = line.partition("|")
    start_ms = row_ms(first.strip()) if bar else None
    if start_ms is None:
        return None
    end_ms, times = start_ms, first
    second, bar, after = rest.partition("|")
    if bar and (found := row_ms(second.strip())) is not None:
        end_ms, rest, times = found, after, f"{first}|{second}"
    return _Row(start_ms, end_ms, times, *_columns(rest))


def _columns(rest: str) -> tuple[str, str]:
    """The columns behind the times of a row, and its text."""
    end = 0
    for _ in range(_MAX_COLUMNS):
        column = _COLUMN.match(rest, end)
        if column is None:
            break
        end = column.end()
    return rest[:end], rest[end:]


def _damaged_cue(line: str, last_end_ms: int) -> Cue:
    """A row of which a time cannot be read, as a cue without times."""
    times, _, rest = line.partition("|")
    second, bar, after = rest.partition("|")
    if bar and (row_ms(second.strip()) is not None or _LIKE_A_TIME.fullmatch(second)):
        times, rest = f"{times}|{second}", after
    columns, text = _columns(rest)
    return Cue(last_end_ms, last_end_ms, text, times, columns, is_timed=False)


def _is_damaged_row(line: str) -> bool:
    found = _DAMAGED_ROW.match(line)
    if found is None or ":" not in found[0]:
        return False
    return sum(map(str.isdigit, found[0])) >= _DIGITS_OF_A_TIME


def _row_cue(row: _Row, texts: list[str]) -> Cue:
    return Cue(row.start_ms, row.end_ms, "\n".join(texts), row.times, row.columns)


# SAMI, TTML and SSA: read as far as their cues' times and texts.

_SYNC = re.compile(r"<sync\b([^<>]*)>", re.IGNORECASE)
_SYNC_START = re.compile(r"\bstart\s*=\s*[\"']?\s*(-?[0-9]{1,12})\b", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_BLOCK = re.compile(r"</?(?:p|sync|body|sami|div)\b[^<>]*>", re.IGNORECASE)
_PARAGRAPH_END = re.compile(r"</(?:[A-Za-z]\w*:)?p\s*>")
_PARAGRAPH = re.compile(r"<(?:[A-Za-z]\w*:)?p(?=[\s>])([^<>]*)>")
_ATTRIBUTE = re.compile(r"\b(begin|end|dur)\s*=\s*[\"']([^\"'<>]{1,40})[\"']")
_OFFSET = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|m|s|ms)")
_UNIT_MS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DIALOGUE_COLUMNS = 10


def _read_sami(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read SAMI: a text is shown from its SYNC to the next one, which may be empty."""
    content = "\n".join(lines)
    syncs = list(islice(_SYNC.finditer(content), 2 * MAX_CUES + 1))
    file.outside.extend(content[: syncs[0].start()].split() if syncs else [])
    for at, sync in enumerate(syncs):
        end = syncs[at + 1].start() if at + 1 < len(syncs) else len(content)
        text = _flowed(_BLOCK.sub("", content[sync.end() : end]))
        if not unescaped(text).strip():
            continue
        start_ms, end_ms = _sync_ms(sync), _sync_ms(syncs[at + 1] if at + 1 < len(syncs) else sync)
        timed = start_ms is not None and end_ms is not None
        yield _Placed(Cue(start_ms or 0, end_ms or 0, text, sync[0], is_timed=timed), 0, 0)


def _sync_ms(sync: re.Match[str]) -> int | None:
    found = _SYNC_START.search(sync[1])
    return int(found[1]) if found else None


def _flowed(text: str) -> str:
    """A text of a format in which only breaks end lines."""
    return "\n".join(" ".join(part.split()) for part in _BREAK.split(text)).strip()


def _read_ttml(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read TTML: paragraphs with `begin`, and `end` or `dur`."""
    last_end_ms = 0
    pieces = _PARAGRAPH_END.split("\n".join(lines), maxsplit=MAX_CUES + 1)
    for piece in pieces[:-1]:
        opening = None
        for opening in _PARAGRAPH.finditer(piece):  # noqa: B007 - the last one is wanted
            pass
        if opening is None:
            file.outside.append(piece.strip())
            continue
        file.outside.extend(piece[: opening.start()].split())
        told = dict(_ATTRIBUTE.findall(opening[1]))
        start_ms, end_ms, lasting_ms = (
            _offset_ms(told.get(each)) for each in ("begin", "end", "dur")
        )
        if end_ms is None and start_ms is not None and lasting_ms is not None:
            end_ms = start_ms + lasting_ms
        timed = start_ms is not None and end_ms is not None
        cue = Cue(
            (start_ms if timed else last_end_ms) or 0,
            (end_ms if timed else last_end_ms) or 0,
            _flowed(piece[opening.end() :]),
            " ".join(f"{name}={value}" for name, value in told.items()),
            " ".join(_ATTRIBUTE.sub("", opening[1]).split()),
            is_timed=timed,
        )
        yield _Placed(cue, 0, 0)
        last_end_ms = cue.end_ms
    file.outside.append(pieces[-1].strip())


def _offset_ms(time: str | None) -> int | None:
    if time is None:
        return None
    times = TIMES.fullmatch(f"{time} --> {time}")
    if times:
        return clock_ms(time)
    found = _OFFSET.fullmatch(time)
    return round(float(found[1]) * _UNIT_MS[found[2]]) if found else None


def _read_ssa(lines: list[str], file: CaptionFile) -> Iterator[_Placed]:
    """Read SSA: one `Dialogue:` a line, its text after nine commas."""
    last_end_ms = 0
    for at, line in enumerate(lines):
        columns = line.split(",", _DIALOGUE_COLUMNS - 1)
        if not line.startswith("Dialogue:") or len(columns) < _DIALOGUE_COLUMNS:
            if line.strip():
                file.outside.append(line.strip())
            continue
        start_ms, end_ms = (_offset_ms(column.strip()) for column in columns[1:3])
        timed = start_ms is not None and end_ms is not None
        cue = Cue(
            (start_ms if timed else last_end_ms) or 0,
            (end_ms if timed else last_end_ms) or 0,
            columns[-1].replace("\\N", "\n").replace("\\n", "\n"),
            ",".join(columns[1:3]),
            ",".join([columns[0], *columns[3:-1]]),
            is_timed=timed,
        )
        yield _Placed(cue, at, at + 1)
        last_end_ms = cue.end_ms


_READERS: dict[CaptionFormat, Callable[[list[str], CaptionFile], Iterator[_Placed]]] = {
    CaptionFormat.SUBRIP: _read_subrip,
    CaptionFormat.WEBVTT: _read_webvtt,
    CaptionFormat.TRANSCRIPT: _read_transcript,
    CaptionFormat.SAMI: _read_sami,
    CaptionFormat.TTML: _read_ttml,
    CaptionFormat.SSA: _read_ssa,
}


def is_read(format_: CaptionFormat) -> bool:
    """Whether the cues of a format are read; others are recognized only."""
    return format_ in _READERS
