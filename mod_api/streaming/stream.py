"""A stream as a view returns it: a description that is pumped once the view is done."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator

from mod_api.streaming.hub import Checks, Hub, hub_of_this_loop

TAKEN_OVER = "platform.streams"


class Stream(ABC):
    """What is sent to one follower, as an asynchronous iteration over frames."""

    def __init__(self, checks: Checks, release: Callable[[], None]) -> None:
        """`release` gives the follower's place back; it is called once, whatever happens."""
        self.checks = checks
        self._release: Callable[[], None] | None = release

    @abstractmethod
    def frames(self, hub: Hub) -> AsyncIterator[bytes]:
        """The frames to send, until the stream ends."""

    async def pump(self) -> AsyncIterator[bytes]:
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
                        yield runner.run(anext(frames))  # type: ignore[arg-type]  # an awaitable
                    except StopAsyncIteration:
                        return
            finally:
                runner.run(frames.aclose())  # type: ignore[attr-defined]  # it is a generator

    def close(self) -> None:
        """Give the follower's place back; closing twice is harmless."""
        release, self._release = self._release, None
        if release is not None:
            release()
