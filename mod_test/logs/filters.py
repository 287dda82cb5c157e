"""Which lines are asked for, and finding them in a chunk without looking at each line.

`candidates` may name too many lines and never too few; `Filters.accept` decides.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from mod_test.logs import text
from mod_test.logs.legacy_line_levels import LEVEL_PIECES, SOURCE_PIECES, Level, Source
from mod_test.logs.lines import HEADER, Parsed, header_bytes

Span: TypeAlias = tuple[int, int]

_REVERSED_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Filters:
    """What a line must be; None asks for nothing.

    `contains` is searched in the whole message (of an old line: in the whole line), ASCII
    letters without case, all others exactly.
    """

    level: Level | None = None
    source: Source | None = None
    contains: str | None = None
    regression_id: int | None = None

    def accept(self, line: Parsed) -> bool:
        """Return whether the line is asked for."""
        return (
            (self.level is None or line.level is self.level)
            and (self.source is None or line.source is self.source)
            and (self.regression_id is None or line.regression_id == self.regression_id)
            and (not self.contains or text.fold(self.contains) in text.fold(line.message))
        )

    @property
    def by_header(self) -> bool:
        """Return whether a structured line's header can rule it out."""
        return (self.level, self.source, self.regression_id) != (None, None, None)

    def digest(self) -> str:
        """A short text that is the same for the same filters only."""
        asked = [self.level, self.source, self.contains, self.regression_id]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def candidates(data: bytes, filters: Filters) -> Iterator[Span]:
    """The lines of `data` (whole lines) that may be asked for: where each starts and ends.

    In order; the newline is not part of a line.
    """
    if not filters.contains:
        return _by_header(data, filters) if filters.by_header else _every(data)
    needle = text.fold(filters.contains)
    # A replaced byte is in the message and not in the log.
    folded = text.folded_if_plain(data)
    # A replaced byte is in the message and not in the log.
    plain = folded is not None and "\ufffd" not in filters.contains
    if folded is None or not plain:
        folded = text.fold(text.clean(data))
    if needle not in folded:
        return iter(())
    if filters.by_header:
        return _by_header(data, filters)
    return _holding(data, folded, needle) if plain else _every(data)


def candidates_reversed(data: bytes, filters: Filters) -> Iterator[Span]:
    """The same lines, the last one first, with few of them in memory at a time."""
    end = len(data)
    while end:
        start = data.rfind(b"\n", 0, max(0, end - _REVERSED_BYTES)) + 1
        for low, high in reversed(list(candidates(data[start:end], filters))):
            yield start + low, start + high
        end = start


def _every(data: bytes) -> Iterator[Span]:
    start = 0
    while start < len(data):
        end = _line_end(data, start)
        yield start, end
        start = end + 1


def _holding(data: bytes, folded: bytes, needle: bytes) -> Iterator[Span]:
    position = 0
    while (found := folded.find(needle, position)) >= 0:
        start = folded.rfind(b"\n", 0, found) + 1
        end = _line_end(data, found)
        message = start + header_bytes(data, start, end)
        if found >= message or folded.find(needle, message, end) >= 0:
            yield start, end
        position = end + 1


def _by_header(data: bytes, filters: Filters) -> Iterator[Span]:
    old_possible: bool | None = None
    for found in _wanted(filters.level, filters.source, filters.regression_id).finditer(
        b"\n" + data
    ):
        # The newline put in front makes up for the one that the match begins with.
        start = found.start()
        if start >= len(data):
            return
        if found.lastgroup == "old":
            if old_possible is None:
                old_possible = _old_possible(data, filters)
            if not old_possible:
                continue
        yield start, _line_end(data, start)


@lru_cache(maxsize=256)
def _wanted(
    level: Level | None, source: Source | None, regression_id: int | None
) -> re.Pattern[bytes]:
    """Matches at each line that is structured and wanted, or not structured (group `old`).

    The pattern begins with a literal newline, so that the search runs from line to line at
    the speed of memchr.
    """
    levels = level.value if level else "(?:debug|info|warning|error|critical)"
    sources = source.value if source else "(?:orchestrator|worker|build|test_runner|web)"
    test = r"(?: #[1-9]\d{0,9})?" if regression_id is None else f" #{regression_id}"
    ours = rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {levels} {sources}{test} \| ".encode()
    # Only a structured line names its regression test.
    old = rb"" if regression_id is not None else rb"|(?P<old>(?!" + HEADER + rb"))"
    return re.compile(rb"\n(?:" + ours + old + rb")")


def _old_possible(data: bytes, filters: Filters) -> bool:
    """Whether an unstructured line of the data can read as the level and source asked for."""
    wanted = [
        LEVEL_PIECES.get(filters.level) if filters.level else None,
        SOURCE_PIECES.get(filters.source) if filters.source else None,
    ]
    asked = [pieces for pieces in wanted if pieces]
    if not asked:
        return True
    folded = text.folded_if_plain(data)
    if folded is None:
        # Controls may stand inside a word and vanish from it.
        folded = text.fold(text.clean(data))
    return all(any(piece.encode() in folded for piece in pieces) for pieces in asked)


def _line_end(data: bytes, position: int) -> int:
    end = data.find(b"\n", position)
    return end if end >= 0 else len(data)
