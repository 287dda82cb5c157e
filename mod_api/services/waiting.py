"""Waiting for something, cheaply: no connection is held, and only so many wait at once."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import metrics
from errors import Unavailable
from mod_api.streaming.shutdown_event import shutting_down

POLL_SECONDS = 1.0
T = TypeVar("T")


class Waiters:
    """The requests of this process that wait; beyond the limit they are sent away."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def enter(self, most: int) -> None:
        """Raises Unavailable when too many wait already."""
        with self._lock:
            if self.count >= most:
                raise Unavailable("Too many requests are waiting. Try again.", retry_after=5)
            self.count += 1
        metrics.waiting.inc()

    def leave(self) -> None:
        with self._lock:
            self.count -= 1
        metrics.waiting.dec()


waiters = Waiters()


def wait_for(
    look: Callable[[], T | None], seconds: float, *, most: int, pause: float = POLL_SECONDS
) -> T | None:
    """What `look` finds, looked for again and again for at most `seconds`; None when nothing came.

    `pause`: seconds between two looks, more or less.
    `look` must leave no transaction open. A server that is to end does not wait any longer. Raises
    Unavailable when `most` requests wait already.
    """
    until = time.monotonic() + seconds
    found = look()
    if found is not None or seconds <= 0:
        return found
    waiters.enter(most)
    try:
        while found is None and time.monotonic() < until:
            rest = pause * random.uniform(0.7, 1.3)  # noqa: S311  spreads the pollers
            if shutting_down.wait(max(0.0, min(rest, until - time.monotonic()))):
                break
            found = look()
    finally:
        waiters.leave()
    return found
