"""Logs to test with, and a reader of logs so simple that it must be right."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from mod_test.logs.filters import Filters
from mod_test.logs.legacy_line_levels import Level, Source
from mod_test.logs.line_context import LOOK_BACK_BYTES
from mod_test.logs.lines import LINE_BYTES, LogLine, own_timestamp, parse
from mod_test.logs.pages import Bounds

STARTED_AT = datetime(2020, 2, 2, tzinfo=UTC)

ODD_TEXT = st.text(
    st.sampled_from(
        ["a", "E", "ü", "漢", "🎬", " ", "\t", "\x1b", "[", "m", "\r", "\x9b", "\ufffd"]
    ),
    max_size=30,
)
PIECES = st.sampled_from(
    [
        "error",
        "0 errors",
        "WARN",
        "Zebra",
        "zEBRa",
        "\x1b[31mred\x1b[0m",
        "test",
        "größe",
        "│",
        "ok",
    ]
)
MESSAGES = st.lists(PIECES | ODD_TEXT, max_size=4).map(" ".join)
MOMENTS = st.integers(0, 10**11).map(
    lambda ms: (
        (STARTED_AT + timedelta(milliseconds=ms))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
)


def structured(
    time: str, level: str, source: str, regression_id: int | None, message: str
) -> bytes:
    """A line as our runner writes it, without the newline."""
    test = "" if regression_id is None else f" #{regression_id}"
    return f"{time} {level} {source}{test} | {message}".encode()


STRUCTURED = st.builds(
    structured,
    MOMENTS,
    st.sampled_from(list(Level)),
    st.sampled_from(list(Source)),
    st.none() | st.sampled_from([1, 3, 33, 2**31 - 1]),
    MESSAGES,
)
OLD = st.builds(
    lambda stamp, message: stamp + message.encode(),
    st.sampled_from(
        [b"", b"", b"2024-01-02 03:04:05,678 - ", b"[2024/01/02 03:04:05] ", b"[ERROR] "]
    ),
    MESSAGES,
)
RAW = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"\xff"))


class LongLine(bytes):
    """A long line that is short where a test's example is shown."""

    def __repr__(self) -> str:
        return f"LongLine({bytes(self[:4])!r}..., {len(self)} bytes)"


LONG = st.builds(
    lambda size, end: LongLine(b"x" * size + end.encode()), st.integers(3990, 4010), MESSAGES
) | st.sampled_from([LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 3 * LINE_BYTES]).map(
    lambda size: LongLine(("é" * size).encode()[:size])
)
LINES = st.one_of(STRUCTURED, STRUCTURED, STRUCTURED, OLD, OLD, RAW)
LOGS = st.lists(LINES, max_size=40).map(lambda lines: b"".join(line + b"\n" for line in lines))
BOUNDS = st.builds(
    Bounds,
    scan_bytes=st.integers(1, 300),
    seconds=st.just(60.0),
    page_bytes=st.integers(1, 10000),
    first_block=st.integers(1, 200),
    block=st.integers(1, 4000),
)
FILTERS = st.builds(
    Filters,
    level=st.none() | st.sampled_from(list(Level)),
    source=st.none() | st.sampled_from(list(Source)),
    contains=st.none()
    | st.sampled_from(
        ["zebra", "ERROR", "red", "größe", "GRÖSSE", "e", "a\nb", "\ufffd", " | ", "2024"]
    ),
    regression_id=st.none() | st.sampled_from([1, 3, 33]),
)


class MemoryLog:
    """A log in memory, as a bucket's object would be one."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.most_read = 0

    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        self.most_read = max(self.most_read, length)
        return self.data[offset : offset + length]


def lines_of(data: bytes, *, finished: bool) -> Iterator[tuple[int, bytes]]:
    """Where each line starts and its bytes; the last may lack its newline when finished."""
    start = 0
    # What is written over a line is a line of its own, unless nothing comes before the newline.
    data = re.sub(rb"\r(?=[^\r\n])", b"\n", data)
    for line in data.split(b"\n"):
        end = start + len(line)
        # A very long line is shown before its end has come.
        if end < len(data) or (line and (finished or len(line) >= LINE_BYTES)):
            yield start, line[:LINE_BYTES]
        start = end + 1


def all_lines(data: bytes, filters: Filters, *, finished: bool) -> list[LogLine]:
    """What a reader must show, line by line and without any cleverness."""
    shown = []
    known: list[tuple[int, datetime]] = []
    for start, raw in lines_of(data, finished=finished):
        near = [time for at, time in known if at >= start - LOOK_BACK_BYTES]
        line = parse(raw)
        if _accepted(line.message, filters) and all(
            wanted is None or wanted == has
            for wanted, has in (
                (filters.level, line.level),
                (filters.source, line.source),
                (filters.regression_id, line.regression_id),
            )
        ):
            time = near[-1] if near else STARTED_AT
            shown.append(line._replace(timestamp=line.timestamp or time).placed(start, 0, _never))
        if own := own_timestamp(raw):
            known.append((start, own))
    return shown


def told(lines: list[LogLine]) -> list[tuple[object, ...]]:
    """The lines without `next_offset`, which depends on how they were read."""
    return [(x.offset, x.timestamp, x.level, x.source, x.regression_id, x.message) for x in lines]


def _never(offset: int) -> datetime:
    raise AssertionError(f"the line at {offset} has its time")


def _accepted(message: str, filters: Filters) -> bool:
    return not filters.contains or _lower(filters.contains) in _lower(message)


def _lower(text: str) -> str:
    return re.sub("[A-Z]", lambda letter: letter[0].lower(), text)
