"""Pages of a log: a bounded piece of work each, with an offset to go on from.

A page may come back short or empty when what is asked for is rare; the next one goes on
where it stopped. Whatever the limits, following the offsets gives each line once.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mod_test.logs import chunks
from mod_test.logs.chunks import Chunk
from mod_test.logs.filters import Filters, candidates, candidates_reversed
from mod_test.logs.line_context import Inherited
from mod_test.logs.lines import LINE_BYTES, LogLine, Parsed, parse
from mod_test.logs.source import Lines, LogSource

Order = Literal["asc", "desc"]

EVERYTHING = Filters()
_CHECK_CLOCK_EVERY = 64


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one page may look at: bytes of log, seconds, and bytes of lines it returns.

    `first_block` and `block` are how many bytes are read at a time, at first and at most
    (for a bucket, where each read is a request, more than for a file).
    """

    scan_bytes: int = 64 * 1024 * 1024
    seconds: float = 0.5
    page_bytes: int = 1024 * 1024
    first_block: int = 64 * 1024
    block: int = 256 * 1024


DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Page:
    """Lines in the order that was asked for.

    `position` is where reading goes on, also when the log has grown. `next_offset` is the
    same, or None when there is nothing more now. `scanned` is how many bytes were read.
    """

    lines: list[LogLine]
    position: int
    next_offset: int | None
    end_reached: bool
    scanned: int


def read_page(
    log: LogSource,
    *,
    limit: int,
    started_at: datetime,
    finished: bool,
    offset: int | None = None,
    order: Order = "asc",
    filters: Filters = EVERYTHING,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> Page:
    """The next lines from `offset`: at or after it for `asc`, before it for `desc`.

    Without an offset it starts at the log's beginning or, newest first, at its end. A last
    line without a newline is shown when the log is `finished`. `started_at` (UTC) is the
    time of lines that neither carry one nor follow one that does.
    """
    log = Lines(log)
    size = log.size()
    if order == "asc":
        begin = offset or 0
        pieces = forward(log, begin, size, finished=finished, bounds=bounds)
    else:
        end = chunks.end_of_lines(log, size, finished=finished)
        begin = end if offset is None else min(offset, end)
        pieces = backward(log, begin, size=size, finished=finished, bounds=bounds)
    return fill(
        log,
        pieces,
        begin,
        limit=limit,
        started_at=started_at,
        order=order,
        filters=filters,
        bounds=bounds,
        last=size if order == "asc" else 0,
    )


def read_tail(
    log: LogSource,
    count: int,
    *,
    started_at: datetime,
    finished: bool,
    filters: Filters = EVERYTHING,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> Page:
    """The last `count` lines that the filters accept, oldest of them first.

    As many of them as a bounded look back finds. `position` is the end of the log's lines:
    from there `read_page` shows what comes next.
    """
    log = Lines(log)
    size = log.size()
    end = chunks.end_of_lines(log, size, finished=finished)
    newest = fill(
        log,
        backward(log, end, size=size, finished=finished, bounds=bounds),
        end,
        limit=count,
        started_at=started_at,
        order="desc",
        filters=filters,
        bounds=bounds,
        last=0,
    )
    return Page(newest.lines[::-1], end, None, end_reached=True, scanned=newest.scanned)


def forward(
    log: LogSource, start: int, end: int, *, finished: bool, bounds: Bounds
) -> Iterator[Chunk]:
    """Chunks of the lines that start in [start, end)."""
    return chunks.forward(
        log, start, end, finished=finished, first=bounds.first_block, largest=bounds.block
    )


def backward(
    log: LogSource, end: int, *, size: int, finished: bool, bounds: Bounds, start: int = 0
) -> Iterator[Chunk]:
    """Chunks of the lines that start in [start, end), the last one first."""
    return chunks.backward(
        log,
        end,
        start=start,
        size=size,
        finished=finished,
        first=bounds.first_block,
        largest=bounds.block,
    )


def fill(
    log: LogSource,
    pieces: Iterable[Chunk],
    begin: int,
    *,
    limit: int,
    started_at: datetime,
    order: Order,
    filters: Filters,
    bounds: Bounds,
    last: int,
) -> Page:
    """A page from chunks that come in the page's order, starting from offset `begin`.

    Stops at `limit` lines or at a bound; whatever the bounds, it gets past at least one
    line or chunk. `last` is the offset at which nothing can follow.
    """
    inherited = Inherited(log, started_at)
    deadline = time.monotonic() + bounds.seconds
    lines: list[LogLine] = []
    position = begin
    scanned = room = 0
    for chunk in pieces:
        scanned += chunk.cost
        found, position = _of_chunk(
            chunk,
            inherited,
            limit=limit - len(lines),
            room=bounds.page_bytes - room,
            order=order,
            filters=filters,
            deadline=deadline,
        )
        lines += found
        room += sum(len(line.message) for line in found)
        stopped = position != chunk.resume
        if (
            stopped
            or len(lines) >= limit
            or room >= bounds.page_bytes
            or scanned >= bounds.scan_bytes
            or time.monotonic() >= deadline
        ):
            end_reached = position == last
            return Page(lines, position, None if end_reached else position, end_reached, scanned)
    return Page(lines, position, None, end_reached=True, scanned=scanned)


def _of_chunk(
    chunk: Chunk,
    inherited: Inherited,
    *,
    limit: int,
    room: int,
    order: Order,
    filters: Filters,
    deadline: float,
) -> tuple[list[LogLine], int]:
    """The chunk's lines that are asked for, up to the limits, and where to go on."""
    in_order = candidates if order == "asc" else candidates_reversed
    chosen: list[tuple[int, int, Parsed]] = []
    resume = chunk.resume
    for tried, (start, end) in enumerate(in_order(chunk.data, filters), 1):
        line = parse(chunk.data[start : min(end, start + LINE_BYTES)])
        late = tried % _CHECK_CLOCK_EVERY == 0 and time.monotonic() >= deadline
        if filters.accept(line):
            following = _following(chunk, end)
            chosen.append((chunk.start + start, following, line))
            room -= len(line.message)
        if late or len(chosen) >= limit or room <= 0:
            resume = _following(chunk, end) if order == "asc" else chunk.start + start
            break
    # Times are inherited from the lines before, so they are found in the order of the log.
    before = inherited.enter(chunk)
    placed = [
        line.placed(offset, following, before)
        for offset, following, line in (chosen if order == "asc" else reversed(chosen))
    ]
    return placed if order == "asc" else placed[::-1], resume


def _following(chunk: Chunk, end: int) -> int:
    """The offset behind the line that ends at `end` in the chunk."""
    return chunk.start + min(end + 1, len(chunk.data))
