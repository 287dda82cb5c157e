"""A run's life as a stream: its progress and its results one by one, with the counts so far."""

import asyncio
import functools
import json
import time
import zlib
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.feed import Feed
from mod_api.streaming.hub import Checks, Hub
from mod_api.streaming.keep_alive_timer import KeepAliveTimer
from mod_api.streaming.stream import Follower, Stream

LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Position:
    """The newest progress event and the newest result that a follower has seen.

    Before the first event, which is of id 0 (the run was queued), it is -1.
    """

    progress_id: int = -1
    result_id: int = 0

    def __str__(self) -> str:
        return f"{self.progress_id}-{self.result_id}"


@dataclass(frozen=True)
class Happened:
    """The news behind a position: events to send, the position after them, and the counts.

    `has_more`: more happened than fits into one look.
    """

    events: list[tuple[str, dict[str, Any], Position]]
    position: Position
    counts: dict[str, Any]
    has_more: bool = False


Look = Callable[[Position], Happened]
# Anything that differs whenever there may be something new to see.
Newest = Callable[[], Hashable]


class RunFeed(Feed):
    """What is new in a run: one cheap look finds out whether, one more what, for all followers."""

    def __init__(self, hub: Hub, newest: Newest, look: Look) -> None:
        super().__init__()
        self._hub = hub
        self._newest = newest
        self._look = look
        self._looked_at = 0.0
        self._behind: dict[tuple[Hashable, Position, bool], asyncio.Task[Happened]] = {}
        self.newest: Hashable = None

    async def look(self) -> bool:
        if time.monotonic() - self._looked_at < LOOK_EVERY_SECONDS:
            return False
        self._looked_at = time.monotonic()
        newest = await self._hub.in_thread(self._newest)
        changed = newest != self.newest
        self.newest = newest
        return changed

    async def behind(self, position: Position, *, has_ended: bool) -> Happened:
        """Return the news behind a position, looked up once for all followers there."""
        key = (self.newest, position, has_ended)
        if key not in self._behind:
            fresh = (one for one in self._behind.items() if one[0][0] == self.newest)
            self._behind = dict(fresh)
            look = functools.partial(self._look, position)
            self._behind[key] = asyncio.ensure_future(self._hub.in_thread(look))
        task = self._behind[key]
        try:
            return await asyncio.shield(task)
        except Exception:
            self._behind.pop(key, None)
            raise

    def close(self) -> None:
        """Nothing is held between two looks."""


def digest_of(counts: dict[str, Any]) -> str:
    """Eight characters that differ when the counts do."""
    return f"{zlib.crc32(json.dumps(counts, sort_keys=True).encode()):08x}"


class RunStream(Stream):
    """One follower of a run's progress and results, from a position on.

    The id of a `progress` or `result` event is its position. That of a `counts` event has the
    counts' digest in addition, so that a client that comes back gets the counts unless it has them.
    """

    def __init__(
        self,
        run_id: int,
        position: Position,
        counts_seen: str | None,
        *,
        look: Look,
        newest: Newest,
        checks: Checks,
        follower: Follower,
    ) -> None:
        super().__init__(checks, follower)
        self._run_id = run_id
        self._position = position
        self._counts_seen = counts_seen
        self._look = look
        self._newest = newest

    async def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        run_id, token_id, position = self._run_id, self.follower.token_id, self._position
        seen: Hashable = object()
        counts_seen = self._counts_seen
        with (
            hub.following(run_id, token_id),
            hub.feed(("run", run_id), lambda: RunFeed(hub, self._newest, self._look)) as feed,
        ):
            keep_alive_timer = KeepAliveTimer(self.follower.keep_alive)
            yield frames.HELLO
            while not hub.is_over(token_id):
                changed = feed.changed
                state = await hub.state(run_id)
                if seen != feed.newest or state.has_ended:
                    seen = feed.newest
                    happened = await feed.behind(position, has_ended=state.has_ended)
                    position = happened.position
                    for event, data, place in happened.events:
                        yield frames.frame(event, data, id=str(place))
                    if happened.has_more:
                        seen = object()
                        continue
                    counts = digest_of(happened.counts)
                    if happened.events or counts != counts_seen:
                        counts_seen = counts
                        yield frames.frame("counts", happened.counts, id=f"{position}-{counts}")
                        keep_alive_timer.broken()
                    if happened.events:
                        continue
                if state.has_ended:
                    yield frames.end(run_id, state.status)
                    return
                if not await keep_alive_timer.until(changed):
                    yield frames.KEEP_ALIVE
