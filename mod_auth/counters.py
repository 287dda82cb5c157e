"""Counts of requests and of failed sign-ins, by fixed windows, in Redis or in memory.

The first request of a key opens its window; when the window ends, the count is gone. A slot is
taken and counted in one atomic step. It may be taken as a reservation, which the caller settles
later: counted for good, or given back as if it had never been taken.
"""

import math
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from limits import RateLimitItem

SWEEP_SECONDS = 60.0


@dataclass(frozen=True)
class Slot:
    """The answer to a request for a slot; `used` and `reserved` include the slot if it is granted.

    `seconds` is the time until the window ends.
    """

    key: str
    granted: bool
    used: int
    reserved: int
    seconds: float
    window: str
    limit: RateLimitItem

    @property
    def retry_after(self) -> int:
        """Whole seconds after which a new window is open, for certain."""
        return max(1, math.ceil(self.seconds + 0.001))

    @property
    def remaining(self) -> int:
        return max(0, self.limit.amount - self.used - self.reserved)

    @property
    def is_exhausted(self) -> bool:
        """All slots are used for good, not only reserved."""
        return self.used >= self.limit.amount


class Store(Protocol):
    """The store of the windows."""

    def take(self, key: str, limit: RateLimitItem, *, reserve: bool) -> Slot:
        """Take a slot of this key's window if one is free."""
        ...

    def look(self, key: str, limit: RateLimitItem) -> Slot:
        """Tell how the window stands, and take nothing."""
        ...

    def settle(self, slot: Slot, *, is_used: bool) -> None:
        """End a reservation. Its window may be over, and then nothing changes."""
        ...

    def check(self) -> None:
        """Raises what is wrong with the store."""
        ...


@dataclass
class _Window:
    name: str
    ends_at: float
    used: int = 0
    reserved: int = 0


class MemoryStore:
    """Windows in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._swept_at = time.monotonic()

    def take(self, key: str, limit: RateLimitItem, *, reserve: bool) -> Slot:
        with self._lock:
            self._sweep()
            window = self._window(key)
            if window is None:
                ends_at = time.monotonic() + limit.get_expiry()
                window = self._windows[key] = _Window(secrets.token_hex(8), ends_at)
            granted = window.used + window.reserved < limit.amount
            window.used += granted and not reserve
            window.reserved += granted and reserve
            return _slot(key, limit, granted, window)

    def look(self, key: str, limit: RateLimitItem) -> Slot:
        with self._lock:
            found = self._window(key) or _Window("", time.monotonic() + limit.get_expiry())
            return _slot(key, limit, False, found)

    def settle(self, slot: Slot, *, is_used: bool) -> None:
        with self._lock:
            window = self._window(slot.key)
            if window is None or window.name != slot.window:
                return
            window.reserved -= 1
            window.used += is_used
            if not window.used and not window.reserved:
                del self._windows[slot.key]

    def check(self) -> None:
        """Memory always answers."""

    def _window(self, key: str) -> _Window | None:
        found = self._windows.get(key)
        return found if found and found.ends_at > time.monotonic() else None

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._windows = {k: w for k, w in self._windows.items() if w.ends_at > now}


def _slot(key: str, limit: RateLimitItem, granted: bool, window: _Window) -> Slot:
    left = window.ends_at - time.monotonic()
    return Slot(key, granted, window.used, window.reserved, left, window.name, limit)


def open_store(redis_url: str | None) -> Store:
    """The store of a process: Redis with this process's memory behind it, or memory alone."""
    if redis_url is None:
        return MemoryStore()
    # Redis's library is large: it is loaded where there is a Redis.
    from mod_auth.shared_counters import RedisStore, SharedStore

    return SharedStore(RedisStore(redis_url), MemoryStore())
