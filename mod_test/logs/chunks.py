"""A log cut into chunks of whole lines, forwards and backwards, in bounded memory.

An offset is a cut between lines: forwards it stands for all lines that start at or after
it, backwards for all that start before it. So an offset in the middle of a line is as
good as one at its end, which is what makes lines of any length harmless.
"""

from collections.abc import Iterator
from typing import NamedTuple

from mod_test.logs.lines import LINE_BYTES
from mod_test.logs.source import LogSource


class Chunk(NamedTuple):
    """Whole lines, or none where all that was read lies inside one line.

    `data` begins at byte `start` of the log, which begins a line. Whoever has dealt with
    the chunk goes on at `resume`. `cost` is how many bytes were read for it. The last line
    may lack its newline (at the log's end, or when the line is very long).
    """

    start: int
    data: bytes
    resume: int
    cost: int


def forward(
    log: LogSource, start: int, end: int, *, finished: bool, first: int, largest: int
) -> Iterator[Chunk]:
    """The lines that start in [start, end), in chunks of `first` to `largest` bytes.

    `end` is where the log ends or a line does; nothing beyond it is read.
    A last line without a newline is left out unless the log is `finished`.
    """
    # One byte earlier: if that is a newline, a line starts at `start`. That byte comes on top, or a
    # block of one would get nowhere in a line that goes on.
    skipping = start > 0
    position = start - 1 if skipping else 0
    size = first + skipping
    while position < end:
        wanted = min(size, end - position)
        data = log.read(position, wanted)
        cost = len(data)
        if skipping:
            newline = data.find(b"\n")
            if newline < 0:
                if not data:
                    return
                position += cost
                yield Chunk(position, b"", position, cost)
                continue
            skipping = False
            position += newline + 1
            data = data[newline + 1 :]
        at_end = position + len(data) >= end or cost < wanted
        whole = data.rfind(b"\n") + 1
        if whole:
            yield Chunk(position, data[:whole], position + whole, cost)
            position += whole
            size = min(size * 2, largest)
        elif len(data) >= LINE_BYTES or (at_end and finished and data):
            yield Chunk(position, data, position + len(data), cost)
            position += len(data)
            skipping = True
        elif at_end:
            return
        else:
            size = max(size * 2, first)


def backward(
    log: LogSource,
    end: int,
    *,
    start: int = 0,
    size: int,
    finished: bool,
    first: int,
    largest: int,
) -> Iterator[Chunk]:
    """The lines that start in [start, end), the last chunk first.

    `size` is how long the log is; the line before `end` may go on beyond it. A last line
    without a newline is left out unless the log is `finished`.
    """
    position = end
    block = first
    while position > start:
        low = max(start, position - block)
        lead = 1 if low else 0
        data = log.read(low - lead, position - low + lead)
        cost = len(data)
        if lead:
            newline = data.find(b"\n")
            begins = low + newline if newline >= 0 else position
            data = data[newline + 1 :] if newline >= 0 else b""
        else:
            begins = low
        if begins < position:
            data, more = _completed(log, begins, data, size=size, finished=finished)
            cost += more
            position = begins
        else:
            position = low
        block = min(block * 2, largest)
        yield Chunk(position, data, position, cost)


def end_of_lines(log: LogSource, size: int, *, finished: bool) -> int:
    """Where the log's last whole line ends, when it has `size` bytes."""
    if finished or not size:
        return size
    low = max(0, size - LINE_BYTES)
    newline = log.read(low, size - low).rfind(b"\n")
    if newline >= 0:
        return low + newline + 1
    # A line this long is shown before its end has come.
    return size if size >= LINE_BYTES else 0


def _completed(
    log: LogSource, begins: int, data: bytes, *, size: int, finished: bool
) -> tuple[bytes, int]:
    """The data with the rest of its last line, and how many bytes were read for that."""
    if data.endswith(b"\n"):
        return data, 0
    position = begins + len(data)
    rest = log.read(position, min(LINE_BYTES, max(0, size - position)))
    newline = rest.find(b"\n")
    if newline >= 0:
        return data + rest[: newline + 1], len(rest)
    last = data.rfind(b"\n") + 1
    if finished or len(data) - last + len(rest) >= LINE_BYTES:
        return data + rest, len(rest)
    return data[:last], len(rest)
