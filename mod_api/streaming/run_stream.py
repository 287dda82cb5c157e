"""A run's life as a stream: its progress and its results one by one, with the counts so far."""

import functools
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from mod_api.streaming import frames
from mod_api.streaming.feed import Feed
from mod_api.streaming.hub import Checks, Hub
from mod_api.streaming.silence import Silence
from mod_api.streaming.stream import Follower, Stream

LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Position:
    """The newest progress event and the newest result that a follower has seen; its event id.

    Before the first event, which is of id 0 (the run was queued), it is -1.
    """

    progress_id: int = -1
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
        checks: Checks,
        follower: Follower,
    ) -> None:
        super().__init__(checks, follower)
        self._run_id = run_id
        self._position = position
        self._look = look
        self._newest = newest

    async def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        run_id, token_id, position = self._run_id, self.follower.token_id, self._position
        seen: Position | None = None
        with (
            hub.following(run_id, token_id),
            hub.feed(("run", run_id), lambda: RunFeed(hub, self._newest)) as feed,
        ):
            silence = Silence(self.follower.keep_alive)
            yield frames.HELLO + b"\n"
            while not hub.is_over(token_id):
                changed = feed.changed
                state = await hub.state(run_id)
                if seen != feed.position or state.has_ended:
                    seen = feed.position
                    happened = await hub.in_thread(functools.partial(self._look, position))
                    for event, data, place in happened.events:
                        yield frames.frame(event, data, id=str(place))
                        silence.broken()
                    position = happened.position
                    if happened.events:
                        continue
                if state.has_ended:
                    yield frames.frame("end", {"run_id": run_id, "status": state.status})
                    return
                if not await silence.until(changed):
                    yield frames.KEEP_ALIVE + b"\n"
