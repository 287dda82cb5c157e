"""A log as a stream: what is there, then what comes, each line once."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.feed import Feed
from mod_api.streaming.hub import Checks, Hub, RunState, Subject
from mod_api.streaming.keep_alive_timer import KeepAliveTimer
from mod_api.streaming.stream import Follower, Stream
from mod_test.logs import follower_marker
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
class Part:
    """A piece of log, framed: the id of its last line, and where the piece ends."""

    content: bytes
    last_id: int | None
    end: int


@dataclass(frozen=True)
class Followed:
    """Which lines of which log: `sample_of` maps regression tests to media samples."""

    run_id: Subject
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

    @property
    def hello(self) -> bytes:
        """What a stream begins with."""
        return frames.HELLO

    def position(self, offset: int) -> bytes:
        """An event that only tells the client where it is."""
        return frames.frame("position", {"run_id": self.run_id}, id=str(offset))

    def ended(self, state: RunState) -> bytes:
        """The last event of the stream."""
        return frames.end(self.run_id, state.status)

    def framed(self, lines: list[LogLine], end: int, log: LogSource) -> Part:
        """The lines as events, and where they end; `log` has their bytes."""
        content = b"".join(
            frames.frame("line", self.shown(line), id=str(line.next_offset)) for line in lines
        )
        return Part(content, lines[-1].next_offset if lines else None, end)


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
        self._framed: dict[tuple[type[Followed], Filters], Part | None] = {}

    async def look(self) -> bool:
        if self.may_grow and time.monotonic() - self._noted_at > NOTE_EVERY_SECONDS:
            self._noted_at = time.monotonic()
            follower_marker.note(self._path)
        self.tailer.refresh()
        size = self.tailer.size()
        if size == self._end:
            return False
        # Followers that stood at the end get what is new since; the others read for themselves.
        self._start, self._end = self._end, size
        self._framed = {}
        return True

    def has_more(self, offset: int) -> bool:
        """Return whether a follower that stands at `offset` has anything to read."""
        return offset != self._end

    def head(self, offset: int, followed: Followed) -> Part | None:
        """The piece for a follower at the former end; None for others."""
        if offset != self._start or not 0 <= self._end - self._start <= HEAD_BYTES:
            return None
        shape = (type(followed), followed.filters)
        if shape not in self._framed:
            self._framed[shape] = self._frame(offset, followed)
        return self._framed[shape]

    def close(self) -> None:
        self.tailer.close()

    def _frame(self, offset: int, followed: Followed) -> Part | None:
        batch = next_batch(
            _Until(self.tailer, self._end),
            offset,
            started_at=followed.started_at,
            finished=False,
            filters=followed.filters,
            limit=HEAD_LINES,
            bounds=HEAD_BOUNDS,
        )
        return followed.framed(batch.lines, batch.offset, self.tailer) if batch.at_end else None


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
            keep_alive_timer = KeepAliveTimer(self.follower.keep_alive)
            yield self._followed.hello
            # Without an id the client would start at another end when it comes back.
            told = offset if self._offset is not None else None
            while not hub.is_over(token_id):
                if told is None:
                    told = offset
                    yield self._followed.position(offset)
                changed = feed.changed
                state = await hub.state(run_id)
                feed.may_grow = not state.is_final
                part, at_end = await self._next(hub, feed, log, offset, state.is_final)
                offset = part.end
                if part.content:
                    yield part.content
                    told = part.last_id
                    keep_alive_timer.broken()
                if not at_end:
                    continue
                if state.is_final:
                    yield self._followed.ended(state)
                    return
                if not await keep_alive_timer.until(changed):
                    # Lines that the filters leave out need not be read again after a cut.
                    yield frames.KEEP_ALIVE if told == offset else self._followed.position(offset)
                    told = offset

    async def _next(
        self, hub: Hub, feed: LogFeed, log: LogSource, offset: int, is_final: bool
    ) -> tuple[Part, bool]:
        """The piece of log after `offset`, and whether its end is the log's end for now."""
        if not is_final and log is feed.tailer:
            if not feed.has_more(offset):
                return Part(b"", None, offset), True
            shared = feed.head(offset, self._followed)
            if shared is not None:
                return shared, True

        def read() -> tuple[Part, bool]:
            batch = next_batch(
                log,
                offset,
                started_at=self._followed.started_at,
                finished=is_final,
                filters=self._followed.filters,
                limit=CATCH_UP_LINES,
                bounds=CATCH_UP_BOUNDS,
            )
            return self._followed.framed(batch.lines, batch.offset, log), batch.at_end

        return await hub.in_thread(read)
