"""A feed: one task that looks at a source for all of its followers in this process."""

import asyncio
from abc import ABC, abstractmethod

import structlog

from database import log_failure

log = structlog.get_logger("streams")
INTERVAL_SECONDS = 0.2


class Feed(ABC):
    """Looked at while anybody follows it; followers wait for its next change."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._users = 0
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    async def look(self) -> bool:
        """Look at the source once; whether followers should look, too."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is held, when nobody follows any more."""

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next change. Take it before looking, wait for it after."""
        return self._changed

    def wake(self) -> None:
        """Wake every follower that waits now."""
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()

    def enter(self) -> None:
        self._users += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def leave(self) -> bool:
        """One follower less; whether that was the last one."""
        self._users -= 1
        if self._users:
            return False
        if self._task is not None:
            self._task.cancel()
        self.close()
        return True

    async def _run(self) -> None:
        while True:
            try:
                if await self.look():
                    self.wake()
            except Exception as error:  # noqa: BLE001  a disk or a database that is away ends no stream
                log_failure(log, "feed_failed", error)
            await asyncio.sleep(INTERVAL_SECONDS)
