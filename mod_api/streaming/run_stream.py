"""A run's life as a stream: its progress and its results one by one, with the counts so far."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.feed import Feed
from mod_api.streaming.hub import Checks, Hub
from mod_api.streaming.log_stream import KEEP_ALIVE_SECONDS, wait_for
from mod_api.streaming.stream import Stream

LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Position:
    """The newest progress event and the newest result that a follower has seen; its event id."""

    progress_id: int = 0
    result_id: int = 0

    def __str__(self) -> str:
        return f"{self.progress_id}-{self.result_id}"


@dataclass(frozen=True)
class Happened:
    """What happened behind a position: frames to send, and the position after them."""

    events: list[tuple[str, dict[str, Any], Position]]
    position: Position


Look = Callable[[Position], Happened]
Newest = Callable[[], Position]


class RunFeed(Feed):
    """Knows the newest position of one run, by one cheap look for all who follow it."""

    def __init__(self, hub: Hub, newest: Newest) -> None:
        super().__init__()
        self._hub = hub
        self._newest = newest
        self._looked_at = 0.0
        self.position = Position()

    async def look(self) -> bool:
        if time.monotonic() - self._looked_at < LOOK_EVERY_SECONDS:
            return False
        self._looked_at = time.monotonic()
        newest = await self._hub.in_thread(self._newest)
        changed = newest != self.position
        self.position = newest
        return changed

    def close(self) -> None:
        """Nothing is held between two looks."""


class RunStream(Stream):
    """One follower of a run's progress and results, from a position on."""

    def __init__(
        self,
        run_id: int,
        position: Position,
        *,
        look: Look,
        newest: Newest,
        token_id: int,
        checks: Checks,
        release: Callable[[], None],
    ) -> None:
        super().__init__(checks, release)
        self._run_id = run_id
        self._position = position
        self._look = look
        self._newest = newest
        self._token_id = token_id

    async def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        run_id, position = self._run_id, self._position
        seen: Position | None = None
        with (
            hub.following(run_id, self._token_id),
            hub.feed(("run", run_id), lambda: RunFeed(hub, self._newest)) as feed,
        ):
            sent_at = time.monotonic()
            yield frames.HELLO
            while self._token_id not in hub.revoked:
                changed = feed.changed
                state = await hub.state(run_id)
                if seen != feed.position or state.is_final:
                    seen = feed.position
                    at = position
                    happened = await hub.in_thread(lambda at=at: self._look(at))  # type: ignore[misc]  # bound now
                    for event, data, place in happened.events:
                        yield frames.frame(event, data, id=str(place))
                        sent_at = time.monotonic()
                    position = happened.position
                    if happened.events:
                        continue
                if state.is_final:
                    yield frames.frame("end", {"run_id": run_id, "status": state.status})
                    return
                await wait_for(changed, sent_at + KEEP_ALIVE_SECONDS - time.monotonic())
                if time.monotonic() - sent_at >= KEEP_ALIVE_SECONDS:
                    yield frames.KEEP_ALIVE
                    sent_at = time.monotonic()
