"""A run's log on this host: written at once, sent from here when the server can take it."""

import logging
import os
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mod_ci.runner.limits import MIB
from mod_ci.runner.log_lines import Level, Source, format_lines

logger = logging.getLogger(__name__)

# More than the server keeps of a log by default, so its limit is the one that counts.
MOST_BYTES = 512 * MIB


class Spool:
    """The lines that a run has logged, in a file; any thread may write, and sets `news` then."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self.file = path.open("x+b", buffering=0)
        self.size = 0
        self.most_bytes = most_bytes
        self.closed = False
        self.lock = threading.Lock()
        self.news = threading.Event()

    def write(
        self,
        level: Level,
        source: Source,
        messages: Iterable[str],
        regression_id: int | None = None,
    ) -> None:
        """Add messages, each a line of its own. Never raises: a run goes on without a log."""
        self._append(format_lines(datetime.now(UTC), level, source, messages, regression_id))

    def _append(self, data: bytes) -> None:
        with self.lock:
            if self.closed or not data:
                return
            if self.size + len(data) > self.most_bytes:
                end = ["The log is too long; it ends here"]
                data = format_lines(datetime.now(UTC), "warning", "worker", end)
                self.closed = True
            try:
                # A write that was cut short by a full disk is overwritten by the next.
                if os.pwrite(self.file.fileno(), data, self.size) == len(data):
                    self.size += len(data)
            except OSError as error:
                logger.warning("The log cannot be written: %s", error)
        self.news.set()

    def write_raw(self, line: bytes) -> None:
        """Add a line exactly as a job has printed it, without its newline. Never raises."""
        head = format_lines(datetime.now(UTC), "info", "test_runner", [""]).removesuffix(b"\n")
        self._append(head + line + b"\n")

    def stop(self) -> None:
        """Take no more lines: nobody would get them."""
        with self.lock:
            self.closed = True

    def read(self, offset: int, most: int) -> bytes:
        """Whole lines from an offset, at most `most` bytes; empty when there are none yet."""
        with self.lock:
            length = min(most, self.size - offset)
        data = os.pread(self.file.fileno(), length, offset) if length > 0 else b""
        return data[: data.rfind(b"\n") + 1]

    def close(self) -> None:
        """Close the file; nothing is written or read after this."""
        self.stop()
        self.file.close()
