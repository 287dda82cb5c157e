"""Counts in Redis, which all processes share, and in this process's memory while Redis is away."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from limits import RateLimitItem
from redis.backoff import NoBackoff
from redis.retry import Retry

from mod_auth.counters import MemoryStore, Slot

PREFIX = "ci:limit:"
ANSWER_SECONDS = 1.0  # a Redis that takes longer counts as away
PAUSE_SECONDS = 5.0

T = TypeVar("T")
log = structlog.get_logger("limits")

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
