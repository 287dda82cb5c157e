"""A run's log as a stream: what is there, then what comes, each line once."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.feed import Feed
from mod_api.streaming.hub import Checks, Hub
from mod_api.streaming.silence import Silence
from mod_api.streaming.stream import Follower, Stream
from mod_test.logs import watching
from mod_test.logs.filters import Filters
from mod_test.logs.follow import Tailer, next_batch
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import Bounds
from mod_test.logs.source import LogSource

NOTE_EVERY_SECONDS = 3.0
# What is shared at the log's end; whoever is further behind reads for himself.
HEAD_BYTES = 256 * 1024
HEAD_BOUNDS = Bounds(scan_bytes=HEAD_BYTES, seconds=1.0, page_bytes=4 * HEAD_BYTES)
HEAD_LINES = 20_000
CATCH_UP_LINES = 500
CATCH_UP_BOUNDS = Bounds(scan_bytes=8 * 1024 * 1024, seconds=0.1, page_bytes=64 * 1024)


@dataclass(frozen=True)
class Followed:
    """Which lines of which log: `sample_of` maps regression tests to media samples."""

    run_id: int
    started_at: datetime
    filters: Filters
    sample_of: dict[int, int]

    def shown(self, line: LogLine) -> dict[str, Any]:
        """A line in the contract's shape (LogLine)."""
        regression_id = line.regression_id
        return {
            "timestamp": line.timestamp.isoformat(timespec="milliseconds")[:23] + "Z",
            "level": line.level.value,
            "source": line.source.value,
            "message": line.message,
            "run_id": self.run_id,
            "sample_id": self.sample_of.get(regression_id) if regression_id else None,
            "regression_id": regression_id,
        }

    def framed(self, lines: list[LogLine]) -> bytes:
        return b"".join(
            frames.frame("line", self.shown(line), id=str(line.next_offset)) for line in lines
        )


class _Until:
    """A log as long as it was when its feed last looked, so that all share the same piece."""

    def __init__(self, log: LogSource, end: int) -> None:
        self._log, self._end = log, end

    def size(self) -> int:
        return self._end

    def read(self, offset: int, length: int) -> bytes:
        return self._log.read(offset, max(0, min(length, self._end - offset)))


class LogFeed(Feed):
    """The growing end of one log, read and framed once for all who have come that far."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tailer = Tailer(path)
        self._path = path
        self._noted_at = 0.0
        self.may_grow = False
        self._start = self._end = -1
        self._framed: dict[Filters, tuple[bytes, int] | None] = {}

    async def look(self) -> bool:
        if self.may_grow and time.monotonic() - self._noted_at > NOTE_EVERY_SECONDS:
            self._noted_at = time.monotonic()
            watching.note(self._path)
        self.tailer.refresh()
        size = self.tailer.size()
        if size == self._end:
            return False
        # Followers that stood at the end get what is new since; the others read for themselves.
        self._start, self._end = self._end, size
        self._framed = {}
        return True

    def has_more(self, offset: int) -> bool:
        """Whether a follower that stands at `offset` has anything to read."""
        return offset != self._end

    def head(self, offset: int, followed: Followed) -> tuple[bytes, int] | None:
        """What a follower at the former end gets and where it then stands; None for others."""
        if offset != self._start or not 0 <= self._end - self._start <= HEAD_BYTES:
            return None
        if followed.filters not in self._framed:
            self._framed[followed.filters] = self._frame(offset, followed)
        return self._framed[followed.filters]

    def close(self) -> None:
        self.tailer.close()

    def _frame(self, offset: int, followed: Followed) -> tuple[bytes, int] | None:
        batch = next_batch(
            _Until(self.tailer, self._end),
            offset,
            started_at=followed.started_at,
            finished=False,
            filters=followed.filters,
            limit=HEAD_LINES,
            bounds=HEAD_BOUNDS,
        )
        return (followed.framed(batch.lines), batch.offset) if batch.at_end else None


class LogStream(Stream):
    """One follower of a run's log, from a byte offset on; None starts at the log's end."""

    def __init__(
        self,
        followed: Followed,
        path: Path,
        *,
        offset: int | None,
        archived: LogSource | None,
        checks: Checks,
        follower: Follower,
    ) -> None:
        """`archived`: the log of an ended run whose file is in the bucket only."""
        super().__init__(checks, follower)
        self._followed = followed
        self._path = path
        self._offset = offset
        self._archived = archived

    async def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        run_id, token_id = self._followed.run_id, self.follower.token_id
        with (
            hub.following(run_id, token_id),
            hub.feed(("log", self._path), lambda: LogFeed(self._path)) as feed,
        ):
            log: LogSource = self._archived or feed.tailer
            offset = log.size() if self._offset is None else self._offset
            silence = Silence(self.follower.keep_alive)
            # The place is told before the first line: who is cut off until then goes on from here.
            yield frames.HELLO + frames.place(offset)
            while not hub.is_over(token_id):
                changed = feed.changed
                state = await hub.state(run_id)
                feed.may_grow = not state.is_final
                part, offset, at_end = await self._next(hub, feed, log, offset, state.is_final)
                if part:
                    yield part
                    silence.broken()
                if not at_end:
                    continue
                if state.is_final:
                    yield frames.frame("end", {"run_id": run_id, "status": state.status})
                    return
                if not await silence.until(changed):
                    yield frames.KEEP_ALIVE + frames.place(offset)

    async def _next(
        self, hub: Hub, feed: LogFeed, log: LogSource, offset: int, is_final: bool
    ) -> tuple[bytes, int, bool]:
        """What comes after `offset`, where that ends, and whether it is the end for now."""
        if not is_final and log is feed.tailer:
            if not feed.has_more(offset):
                return b"", offset, True
            shared = feed.head(offset, self._followed)
            if shared is not None:
                return *shared, True

        def read() -> tuple[bytes, int, bool]:
            batch = next_batch(
                log,
                offset,
                started_at=self._followed.started_at,
                finished=is_final,
                filters=self._followed.filters,
                limit=CATCH_UP_LINES,
                bounds=CATCH_UP_BOUNDS,
            )
            return self._followed.framed(batch.lines), batch.offset, batch.at_end

        return await hub.in_thread(read)
