"""Reading on while a log grows: what a live stream is made of.

A follower is an offset; `next_batch` reads on from it, and that is all there is to resuming.
What many followers of one log share is its `Tailer`: the file is looked at once per
interval, and the newest bytes are in memory once, however many read them.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
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


def follow(
    log: LogSource,
    offset: int,
    *,
    is_finished: Callable[[], bool],
    wait: Callable[[int], object],
    started_at: datetime,
    filters: Filters = EVERYTHING,
    limit: int = BATCH_LINES,
    bounds: Bounds = BATCH_BOUNDS,
) -> Iterator[Batch]:
    """Batches from `offset` on until the log is finished and read to its end.

    `is_finished()` says that nothing more will be appended. `wait(size)` comes back when the
    log may have more than `size` bytes or some time has passed; after each wait there is a
    batch, empty ones too, so that the caller can look at its clock.
    """
    while True:
        # Asked before reading: what was appended until then is still read.
        finished = is_finished()
        seen = log.size()
        batch = next_batch(
            log,
            offset,
            started_at=started_at,
            finished=finished,
            filters=filters,
            limit=limit,
            bounds=bounds,
        )
        offset = batch.offset
        yield batch
        if batch.at_end:
            if finished:
                return
            wait(seen)


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
        self._changed = threading.Condition()
        self._known = 0

    def size(self) -> int:
        """How many bytes the file has now."""
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
        """Look at the file once: keep what is new, and wake who waits for it."""
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
        with self._changed:
            self._known = size
            self._changed.notify_all()

    def wait(self, size: int, timeout_s: float) -> bool:
        """Wait until the log is known to have more than `size` bytes; False after the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._known > size, timeout_s)

    def close(self) -> None:
        """Give the file back."""
        if self._file:
            self._file.close()
            self._file = None

    def _opened(self) -> FileLog | None:
        if self._file is None:
            with self._changed, contextlib.suppress(FileNotFoundError):
                self._file = self._file or FileLog.open(self._path)
        return self._file


class Tailers:
    """The tailers of this process: one per log that is followed, one thread for all."""

    def __init__(self, *, interval_s: float = 0.2) -> None:
        """`interval_s`: how often the followed files are looked at."""
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._used: dict[Path, tuple[Tailer, int]] = {}
        self._thread: threading.Thread | None = None
        self._idle = threading.Event()

    @contextlib.contextmanager
    def following(self, path: Path) -> Iterator[Tailer]:
        """The tailer of the log at `path`, for as long as the `with` lasts.

        Raises OSError when there is something that is not a regular file.
        """
        tailer = self._taken(path)
        try:
            yield tailer
        finally:
            self._given_back(path)

    def _taken(self, path: Path) -> Tailer:
        with self._lock:
            tailer, users = self._used.get(path) or (Tailer(path), 0)
            tailer.refresh()
            self._used[path] = (tailer, users + 1)
            self._idle.clear()
            # None either when nobody followed anything, or in a process that was forked.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="log-tailers", daemon=True)
                self._thread.start()
            return tailer

    def _given_back(self, path: Path) -> None:
        with self._lock:
            tailer, users = self._used.pop(path)
            if users > 1:
                self._used[path] = (tailer, users - 1)
                return
            tailer.close()
            if not self._used:
                self._idle.set()

    def _run(self) -> None:
        """Refresh what is followed, until nothing is."""
        while True:
            with self._lock:
                if not self._used:
                    self._thread = None
                    return
                # Under the lock, so that none is closed while it is read.
                for tailer, _ in self._used.values():
                    with contextlib.suppress(OSError):
                        tailer.refresh()
            self._idle.wait(self._interval_s)
