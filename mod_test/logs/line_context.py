"""The time of lines that carry none: that of the nearest line before which does.

"Near" is within 32 KiB, counted from the line itself: the answer depends on the log
alone, never on where a page begins, and costs a bounded read.
"""

from collections.abc import Callable
from datetime import datetime

from mod_test.logs.chunks import Chunk
from mod_test.logs.lines import LINE_BYTES, own_timestamp
from mod_test.logs.source import LogSource

LOOK_BACK_BYTES = 32 * 1024

_NONE = (0, None)


class Inherited:
    """Times by offset, quick when asked for lines in the order of the log."""

    def __init__(self, log: LogSource, started_at: datetime) -> None:
        """`started_at` (UTC) is the time of lines with no dated line near before them."""
        self._log = log
        self._started_at = started_at
        self._chunk_start = 0
        self._chunk = b""
        self._checked = 0
        self._latest: tuple[int, datetime | None] = _NONE

    def enter(self, chunk: Chunk) -> Callable[[int], datetime]:
        """Keep the chunk at hand, so that its bytes need not be read again; gives `before`."""
        self._chunk_start, self._chunk = chunk.start, chunk.data
        return self.before

    def before(self, offset: int) -> datetime:
        """The time for the line that starts at `offset` and carries none itself."""
        nearest = max(0, offset - LOOK_BACK_BYTES)
        # What was checked up to here needs no second look, if it reaches into the window.
        if not nearest <= self._checked <= offset:
            self._latest = _NONE
            self._checked = nearest
        self._check(self._checked, offset)
        self._checked = offset
        at, time = self._latest
        return time if time and at >= nearest else self._started_at

    def _check(self, low: int, high: int) -> None:
        """Remember the last dated line that starts in [low, high)."""
        lead = 1 if low else 0
        data = self._read(low - lead, high)
        begins = data.find(b"\n") + 1 if lead else 0
        if lead and not begins:
            return
        end = len(data)
        while end > begins:
            start = max(data.rfind(b"\n", begins, end - 1) + 1, begins)
            if time := own_timestamp(data[start : min(end, start + LINE_BYTES)].rstrip(b"\n")):
                self._latest = (low - lead + start, time)
                return
            end = start

    def _read(self, low: int, high: int) -> bytes:
        first = low - self._chunk_start
        last = high - self._chunk_start
        if first >= 0 and last <= len(self._chunk):
            return self._chunk[first:last]
        if first < 0 < last <= len(self._chunk):
            return self._log.read(low, -first) + self._chunk[:last]
        return self._log.read(low, high - low)
