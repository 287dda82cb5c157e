"""Counts of requests and of failed sign-ins, by fixed windows, in Redis or in memory.

The first request of a key opens its window; when the window ends, the count is gone. A slot is
taken and counted in one atomic step. It may be taken as a reservation, which the caller settles
later: counted for good, or given back as if it had never been taken.
"""

import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import redis
import structlog
from limits import RateLimitItem
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "ci:limit:"
ANSWER_SECONDS = 1.0  # a Redis that takes longer counts as away
PAUSE_SECONDS = 5.0
SWEEP_SECONDS = 60.0

T = TypeVar("T")
log = structlog.get_logger("limits")


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
    """Where windows are kept."""

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


# KEYS: the window. ARGV: a name for a new window, its milliseconds, the limit, the field to count.
TAKE = """
if redis.call('HSETNX', KEYS[1], 'window', ARGV[1]) == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or 0)
local reserved = tonumber(redis.call('HGET', KEYS[1], 'reserved') or 0)
local granted = 0
if used + reserved < tonumber(ARGV[3]) then
  redis.call('HINCRBY', KEYS[1], ARGV[4], 1)
  granted = 1
  if ARGV[4] == 'used' then used = used + 1 else reserved = reserved + 1 end
end
return {granted, used, reserved, redis.call('PTTL', KEYS[1]), redis.call('HGET', KEYS[1], 'window')}
"""
LOOK = """
local used = tonumber(redis.call('HGET', KEYS[1], 'used') or 0)
local reserved = tonumber(redis.call('HGET', KEYS[1], 'reserved') or 0)
return {used, reserved, redis.call('PTTL', KEYS[1])}
"""
# ARGV: the window's name, 1 when the slot is used.
SETTLE = """
if redis.call('HGET', KEYS[1], 'window') ~= ARGV[1] then return end
local reserved = redis.call('HINCRBY', KEYS[1], 'reserved', -1)
local used = redis.call('HINCRBY', KEYS[1], 'used', ARGV[2])
if used + reserved <= 0 then redis.call('DEL', KEYS[1]) end
"""


class RedisStore:
    """Windows in Redis, shared by all processes. Each call is one script, so it is atomic.

    Every method raises redis.RedisError when Redis does not answer.
    """

    def __init__(self, url: str) -> None:
        # A connection that Redis has closed meanwhile is worth a second try; silence is not.
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        self._client = redis.Redis.from_url(
            url,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=retry,
            decode_responses=True,
        )
        self._take = self._client.register_script(TAKE)
        self._look = self._client.register_script(LOOK)
        self._settle = self._client.register_script(SETTLE)

    def take(self, key: str, limit: RateLimitItem, *, reserve: bool) -> Slot:
        field = "reserved" if reserve else "used"
        args: list[str | int] = [
            secrets.token_hex(8),
            limit.get_expiry() * 1000,
            limit.amount,
            field,
        ]
        answer: Any = self._take(keys=[PREFIX + key], args=args)
        granted, used, reserved, left_ms, window = answer
        return Slot(key, bool(granted), used, reserved, left_ms / 1000, window, limit)

    def look(self, key: str, limit: RateLimitItem) -> Slot:
        answer: Any = self._look(keys=[PREFIX + key], args=[])
        used, reserved, left_ms = answer
        seconds = left_ms / 1000 if left_ms >= 0 else float(limit.get_expiry())
        return Slot(key, False, used, reserved, seconds, "", limit)

    def settle(self, slot: Slot, *, is_used: bool) -> None:
        self._settle(keys=[PREFIX + slot.key], args=[slot.window, int(is_used)])

    def check(self) -> None:
        self._client.ping()


class SharedStore:
    """Redis while it answers, else this process's memory: no request goes uncounted.

    While Redis is away, one request in PAUSE_SECONDS asks it again.
    """

    def __init__(self, shared: RedisStore, own: MemoryStore) -> None:
        self._shared = shared
        self._own = own
        self._lock = threading.Lock()
        self._is_away = False
        self._ask_at = 0.0

    def take(self, key: str, limit: RateLimitItem, *, reserve: bool) -> Slot:
        return self._first(lambda store: store.take(key, limit, reserve=reserve))

    def look(self, key: str, limit: RateLimitItem) -> Slot:
        return self._first(lambda store: store.look(key, limit))

    def settle(self, slot: Slot, *, is_used: bool) -> None:
        # The slot is in one of the two: window names are unique. A slot in Redis that cannot be
        # settled stays reserved until its window ends, so it still counts against guessing.
        self._own.settle(slot, is_used=is_used)
        self._first(lambda store: store.settle(slot, is_used=is_used))

    def check(self) -> None:
        self._shared.check()

    def _first(self, call: Callable[[RedisStore | MemoryStore], T]) -> T:
        if self._may_ask():
            try:
                answer = call(self._shared)
            except redis.RedisError as error:
                self._note(is_away=True)
                log.warning("redis_away", error=type(error).__name__)
            else:
                self._note(is_away=False)
                return answer
        return call(self._own)

    def _may_ask(self) -> bool:
        if not self._is_away:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._ask_at:
                return False
            self._ask_at = now + PAUSE_SECONDS  # the others go on while this request finds out
            return True

    def _note(self, *, is_away: bool) -> None:
        if is_away or self._is_away:
            with self._lock:
                self._is_away = is_away
                self._ask_at = time.monotonic() + PAUSE_SECONDS


def open_store(redis_url: str | None) -> Store:
    """The store of a process: Redis with this process's memory behind it, or memory alone."""
    return SharedStore(RedisStore(redis_url), MemoryStore()) if redis_url else MemoryStore()
