"""A stream as a view returns it: a description that is pumped once the view is done."""

import asyncio
import weakref
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from mod_api.streaming.hub import Checks, Hub, hub_of_this_loop


@dataclass(frozen=True)
class Follower:
    """Whose stream it is; without a token it is a local user's. `keep_alive`: after so many silent
    seconds a comment is sent.

    `release` gives the follower's place back; it is called once, whatever happens.
    """

    token_id: int | None
    keep_alive: float
    release: Callable[[], None]


class Stream(ABC):
    """The frames for one follower, as an asynchronous iterator."""

    def __init__(self, checks: Checks, follower: Follower) -> None:
        self.checks = checks
        self.follower = follower
        # Also when nobody ever pumps or closes it: the client left, or the answer failed.
        self._place = weakref.finalize(self, follower.release)

    @abstractmethod
    def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        """The frames to send, until the stream ends."""

    async def pump(self) -> AsyncGenerator[bytes, None]:
        """The frames, with the hub of the loop that runs this."""
        try:
            async for part in self.frames(hub_of_this_loop(self.checks)):
                yield part
        finally:
            self.close()

    def __iter__(self) -> Iterator[bytes]:
        """The same under a plain WSGI server: a loop of its own in the request's thread."""
        with asyncio.Runner() as runner:
            frames = self.pump()
            try:
                while True:
                    try:
                        yield runner.run(anext(frames))
                    except StopAsyncIteration:
                        return
            finally:
                runner.run(frames.aclose())

    def close(self) -> None:
        """Give the follower's place back; closing twice is harmless."""
        self._place()
