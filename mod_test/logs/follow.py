"""Reading on while a log grows: what a live stream is made of.

A follower is an offset; `next_batch` reads on from it, and that is all there is to resuming.
What many followers of one log share is its `Tailer`: the file is looked at once per
interval, and the newest bytes are in memory once, however many read them.
"""

import contextlib
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mod_test.logs.filters import Filters
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import EVERYTHING, Bounds, read_page
from mod_test.logs.source import FileLog, LogSource

# Small, so that a thousand followers, however slow, hold little.
BATCH_BOUNDS = Bounds(
    scan_bytes=8 * 1024 * 1024, seconds=0.1, page_bytes=8 * 1024, first_block=16 * 1024
)
BATCH_LINES = 100
RECENT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines, and the offset behind them: whoever goes on there misses and repeats nothing.

    `at_end`: there is nothing more at the moment.
    """

    lines: list[LogLine]
    offset: int
    at_end: bool


def next_batch(
    log: LogSource,
    offset: int,
    *,
    started_at: datetime,
    finished: bool,
    filters: Filters = EVERYTHING,
    limit: int = BATCH_LINES,
    bounds: Bounds = BATCH_BOUNDS,
) -> Batch:
    """The lines from `offset` on that are there now; perhaps none, with a later offset."""
    page = read_page(
        log,
        offset=offset,
        limit=limit,
        started_at=started_at,
        finished=finished,
        filters=filters,
        bounds=bounds,
    )
    return Batch(page.lines, page.position, page.end_reached)


class Tailer:
    """A growing log file, shared by all of its followers in this process (a `LogSource`).

    The file may come into being later; until then the log is empty.
    """

    def __init__(self, path: Path, *, recent_bytes: int = RECENT_BYTES) -> None:
        """`recent_bytes` of the log's end are kept in memory."""
        self._path = path
        self._recent_bytes = recent_bytes
        self._file: FileLog | None = None
        # Replaced as a whole, so that readers need no lock: where it starts, and the bytes.
        self._recent: tuple[int, bytes] = (0, b"")
        self._opening = threading.Lock()
        self._known = 0

    def size(self) -> int:
        """Return how many bytes the file has now."""
        file = self._opened()
        return file.size() if file else 0

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset`: from memory where they are recent, else from the file."""
        start, recent = self._recent
        if start <= offset and offset + length <= start + len(recent):
            return recent[offset - start : offset - start + length]
        file = self._opened()
        return file.read(offset, length) if file else b""

    def refresh(self) -> None:
        """Look at the file once, and keep what is new."""
        size = self.size()
        if size == self._known:
            return
        start, recent = self._recent
        end = start + len(recent)
        if not 0 <= size - end <= self._recent_bytes:
            recent, start = b"", max(0, size - self._recent_bytes)
            end = start
        file = self._opened()
        recent += file.read(end, size - end) if file else b""
        newest = recent[-self._recent_bytes :]
        self._recent = (start + len(recent) - len(newest), newest)
        self._known = size

    def close(self) -> None:
        """Give the file back."""
        if self._file:
            self._file.close()
            self._file = None

    def _opened(self) -> FileLog | None:
        if self._file is None:
            with self._opening, contextlib.suppress(FileNotFoundError):
                self._file = self._file or FileLog.open(self._path)
        return self._file
