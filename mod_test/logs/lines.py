"""One line of a log: ours, which is structured, or an old one, which is guessed at."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from mod_test.logs import legacy_line_levels, stamps, text
from mod_test.logs.legacy_line_levels import Level, Source

# Of a longer line (our runner's have at most 8,192 bytes) only this much is looked at.
LINE_BYTES = 64 * 1024

HEADER = (
    rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:debug|info|warning|error|critical)"
    rb" (?:orchestrator|worker|build|test_runner|web)(?: #[1-9]\d{0,9})? \| "
)
_STRUCTURED = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (debug|info|warning|error|critical)"
    rb" (orchestrator|worker|build|test_runner|web)(?: #([1-9]\d{0,9}))? \| "
)
_LARGEST_ID = 2**31 - 1
_STAMP_BYTES = 256
_LEVELS = {level.value.encode(): level for level in Level}
_SOURCES = {source.value.encode(): source for source in Source}


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as clients see it.

    `timestamp` is in UTC; `message` has at most 4,000 characters. `offset` is the byte at
    which the line starts; reading on from `next_offset` gives the line after it.
    """

    timestamp: datetime
    level: Level
    source: Source
    message: str
    regression_id: int | None
    offset: int
    next_offset: int


class Parsed(NamedTuple):
    """What a line says by itself: the whole message, and a time only if it carries one."""

    timestamp: datetime | None
    level: Level
    source: Source
    message: str
    regression_id: int | None

    def placed(self, offset: int, next_offset: int, before: Callable[[int], datetime]) -> LogLine:
        """The line at its place in the log; `before(offset)` is its time if it has none."""
        return LogLine(
            timestamp=self.timestamp or before(offset),
            level=self.level,
            source=self.source,
            message=text.cut(self.message),
            regression_id=self.regression_id,
            offset=offset,
            next_offset=next_offset,
        )


def parse(raw: bytes) -> Parsed:
    """What one line (without its newline) says; never raises, whatever the bytes are."""
    header = _STRUCTURED.match(raw)
    if not header:
        return _parse_old(raw)
    stamp, level, source, regression_id = header.groups()
    return Parsed(
        stamps.exact(stamp.decode()),
        _LEVELS[level],
        _SOURCES[source],
        text.clean(raw[header.end() : LINE_BYTES]),
        _regression_id(regression_id),
    )


def own_timestamp(raw: bytes) -> datetime | None:
    """The time that the line itself carries, in UTC."""
    header = _STRUCTURED.match(raw)
    if header:
        return stamps.exact(header[1].decode())
    stamp = _old_stamp(raw)[1]
    return stamp[0] if stamp else None


def header_bytes(data: bytes, start: int, end: int) -> int:
    """Return how many bytes of the line at `data[start:end]` come before its message."""
    header = _STRUCTURED.match(data, start, end)
    return header.end() - start if header else 0


def _parse_old(raw: bytes) -> Parsed:
    message = text.clean(raw[:LINE_BYTES])
    beginning, stamp = _old_stamp(raw)
    head = stamp[1] if stamp and message.startswith(beginning[: stamp[1]]) else 0
    told = text.cut(message)
    return Parsed(
        stamp[0] if stamp else None,
        legacy_line_levels.level_of(told, head),
        legacy_line_levels.source_of(told, head),
        message,
        None,
    )


def _old_stamp(raw: bytes) -> tuple[str, tuple[datetime, int] | None]:
    """The line's beginning, and the time it carries with where that ends."""
    beginning = text.clean(raw[:_STAMP_BYTES])
    return beginning, stamps.carried(beginning)


def _regression_id(digits: bytes | None) -> int | None:
    number = int(digits) if digits else 0
    return number if 1 <= number <= _LARGEST_ID else None
