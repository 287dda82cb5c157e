"""The timer of keep-alive comments: proxies close streams that are silent for long."""

import asyncio
import time


class KeepAliveTimer:
    """The time since a stream last sent anything."""

    def __init__(self, longest: float) -> None:
        """`longest`: after so many seconds something must be sent."""
        self._longest = longest
        self._since = time.monotonic()

    def broken(self) -> None:
        """Something was sent."""
        self._since = time.monotonic()

    async def until(self, changed: asyncio.Event) -> bool:
        """Wait for a change; False when it was silent for too long instead, which starts anew."""
        left = self._since + self._longest - time.monotonic()
        try:
            async with asyncio.timeout(max(0.01, left)):
                await changed.wait()
        except TimeoutError:
            self.broken()
            return False
        return True
