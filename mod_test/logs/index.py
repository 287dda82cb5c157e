"""Which parts of a run's log belong to which regression test.

The index lies beside the log and is kept while appending. It is a row of records of 16
bytes: regression test, length, start. A record with test 0 says that everything before
its start is indexed; what comes after the last of these was broken off and counts for
nothing. What the index does not cover (after a crash, or while an append is going on) is
read from the log itself, so an index may lag behind but is never wrong.
"""

import contextlib
import dataclasses
import itertools
import logging
import os
import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from mod_test.logs import chunks, pages
from mod_test.logs.chunks import Chunk
from mod_test.logs.filters import Filters
from mod_test.logs.pages import DEFAULT_BOUNDS, EVERYTHING, Bounds, Order, Page
from mod_test.logs.source import FileLog, Lines, LogSource, require_regular

_RECORD = struct.Struct("<IIQ")
_BLOCK = 4096 * _RECORD.size
_BATCH_BYTES = 1024 * 1024
# Foreign lines up to this many bytes are read with those around them: fewer records, and
# fewer reads, for tests that run side by side.
GAP_BYTES = 4096

_TEST_LINE = re.compile(
    rb"\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:debug|info|warning|error|critical)"
    rb" (?:orchestrator|worker|build|test_runner|web) #([1-9]\d{0,9}) \| "
)
_LARGEST_ID = 2**31 - 1


class Record(NamedTuple):
    """Lines of one regression test lie in [start, start + length)."""

    regression_id: int
    length: int
    start: int


def path_of(log: Path) -> Path:
    """Where the index of the log at that path lies: `5.index` beside `5.txt`."""
    return log.with_suffix(".index")


def extend(path: Path, log: LogSource) -> None:
    """Bring the index at `path` up to the log's last whole line.

    The caller holds the log's lock. A missing, torn or lagging index is made good, one that
    is ahead of its log is made anew. An index that cannot be written (a full disk, a
    symbolic link in its place) is left for the next time and noted: the log is what counts.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags, 0o640)
        with contextlib.closing(FileLog(descriptor)) as index:
            require_regular(descriptor, path)
            _write_missing(descriptor, index, Lines(log))
    except OSError as error:
        logging.getLogger(__name__).warning("index %s is behind: %s", path.name, error)


def read_test_page(
    log: LogSource,
    index: LogSource,
    regression_id: int,
    *,
    limit: int,
    started_at: datetime,
    finished: bool,
    offset: int | None = None,
    order: Order = "asc",
    filters: Filters = EVERYTHING,
    bounds: Bounds = DEFAULT_BOUNDS,
) -> Page:
    """One regression test's lines, as `read_page` gives those of the run.

    Reads only the parts of the log that the index names, and what it does not cover yet.
    Offsets are those of the log.
    """
    log = Lines(log)
    # First the index, then the log's size: the log is written before its index.
    kept, covered = _covered(index)
    count = kept // _RECORD.size
    size = log.size()
    own = dataclasses.replace(filters, regression_id=regression_id)
    if order == "asc":
        begin, last = offset or 0, size
        parts = _joined(_after(index, count, regression_id, begin))
        ranges: Iterable[tuple[int, int]] = itertools.chain(parts, [(max(covered, begin), size)])
    else:
        end = chunks.end_of_lines(log, size, finished=finished)
        begin, last = (end if offset is None else min(offset, end)), 0
        parts = _joined(_before(index, count, regression_id, begin))
        ranges = itertools.chain([(covered, begin)], parts)
    return pages.fill(
        log,
        _pieces(log, ranges, size, order=order, finished=finished, bounds=bounds),
        begin,
        limit=limit,
        started_at=started_at,
        order=order,
        filters=own,
        bounds=bounds,
        last=last,
    )


def _write_missing(descriptor: int, index: LogSource, log: LogSource) -> None:
    size = log.size()
    kept, covered = _covered(index)
    if covered > size:
        kept, covered = 0, 0
    os.ftruncate(descriptor, kept)
    for chunk in chunks.forward(
        log, covered, size, finished=False, first=_BATCH_BYTES, largest=_BATCH_BYTES
    ):
        batch = b"".join(itertools.starmap(_RECORD.pack, _records(chunk)))
        kept += os.pwrite(descriptor, batch, kept)


def _records(chunk: Chunk) -> Iterator[Record]:
    """The chunk's records, in the order of their starts, and the one that ends them."""
    latest: dict[int, list[int]] = {}
    ranges: list[tuple[int, list[int]]] = []
    for found in _TEST_LINE.finditer(b"\n" + chunk.data):
        # The newline put in front makes up for the one that the match begins with.
        start = found.start()
        end = chunk.data.find(b"\n", start) + 1 or len(chunk.data)
        regression_id = int(found[1])
        known = latest.get(regression_id)
        if known and start - known[1] <= GAP_BYTES:
            known[1] = end
        elif regression_id <= _LARGEST_ID:
            latest[regression_id] = [start, end]
            ranges.append((regression_id, latest[regression_id]))
    for regression_id, (start, end) in ranges:
        yield Record(regression_id, end - start, chunk.start + start)
    yield Record(0, 0, chunk.resume)


def _covered(index: LogSource) -> tuple[int, int]:
    """Return how many bytes of the index count, and up to which offset they cover the log."""
    count = index.size() // _RECORD.size
    for back, record in enumerate(_backwards(index, count)):
        if record.regression_id == 0:
            return (count - back) * _RECORD.size, record.start
    return 0, 0


def _after(
    index: LogSource, count: int, regression_id: int, offset: int
) -> Iterator[tuple[int, int]]:
    """The test's parts of the log from `offset` on, in order."""
    # Starts ascend, ends only from batch to batch: so from the beginning of the batch.
    behind = bisect_right(range(count), offset, key=lambda at: _record_at(index, at).start)
    first = 0
    for back, record in enumerate(_backwards(index, behind)):
        if record.regression_id == 0:
            first = behind - back
            break
    for record in _forwards(index, first, count):
        if record.regression_id == regression_id and record.start + record.length > offset:
            yield max(record.start, offset), record.start + record.length


def _before(
    index: LogSource, count: int, regression_id: int, offset: int
) -> Iterator[tuple[int, int]]:
    """The test's parts of the log before `offset`, the last one first."""
    behind = bisect_right(range(count), offset, key=lambda at: _record_at(index, at).start)
    for record in _backwards(index, behind):
        if record.regression_id == regression_id and record.start < offset:
            yield record.start, min(record.start + record.length, offset)


def _joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The ranges, neighbors as one (up to a mebibyte), in either order."""
    current: tuple[int, int] | None = None
    for start, end in ranges:
        if current is not None:
            both = min(start, current[0]), max(end, current[1])
            apart = max(start - current[1], current[0] - end)
            if apart <= GAP_BYTES and both[1] - both[0] <= _BATCH_BYTES:
                current = both
                continue
            yield current
        current = start, end
    if current is not None:
        yield current


def _pieces(
    log: LogSource,
    ranges: Iterable[tuple[int, int]],
    size: int,
    *,
    order: Order,
    finished: bool,
    bounds: Bounds,
) -> Iterator[Chunk]:
    for start, end in ranges:
        if order == "asc":
            yield from pages.forward(log, start, end, finished=finished, bounds=bounds)
        else:
            yield from pages.backward(
                log, end, start=start, size=size, finished=finished, bounds=bounds
            )


def _record_at(index: LogSource, position: int) -> Record:
    return Record._make(_RECORD.unpack(index.read(position * _RECORD.size, _RECORD.size)))


def _forwards(index: LogSource, first: int, count: int) -> Iterator[Record]:
    for low in range(first * _RECORD.size, count * _RECORD.size, _BLOCK):
        data = index.read(low, min(_BLOCK, count * _RECORD.size - low))
        yield from map(Record._make, _RECORD.iter_unpack(data))


def _backwards(index: LogSource, count: int) -> Iterator[Record]:
    high = count * _RECORD.size
    # What is looked for is mostly near.
    block = 64 * _RECORD.size
    while high:
        low = max(0, high - block)
        records = list(_RECORD.iter_unpack(index.read(low, high - low)))
        yield from map(Record._make, reversed(records))
        high = low
        block = min(block * 4, _BLOCK)
