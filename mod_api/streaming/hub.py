"""What all streams of one event loop share: their feeds, and the checks that go on meanwhile.

One statement each asks for the state of every followed run and for the validity of every token
in use, so that a thousand followers cost the database as much as one.
"""

import asyncio
import contextlib
import time
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from mod_api.streaming.feed import Feed

log = structlog.get_logger("streams")
CHECK_SECONDS = 1.0
TOKEN_SECONDS = 5.0
AnyFeed = TypeVar("AnyFeed", bound=Feed)
T = TypeVar("T")


@dataclass(frozen=True)
class RunState:
    """What a stream needs to know of its run. `is_final`: no more log or event will come."""

    status: str
    is_final: bool


@dataclass(frozen=True)
class Checks:
    """How a hub asks: both get all that is followed and answer for all, in a thread."""

    run_states: Callable[[list[int]], dict[int, RunState]]
    live_tokens: Callable[[list[int]], set[int]]


@dataclass
class Hub:
    """The streams of one event loop. Used from that loop only."""

    checks: Checks
    states: dict[int, RunState] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._feeds: dict[Hashable, Feed] = {}
        self._runs: Counter[int] = Counter()
        self._tokens: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None
        # Reading back in a log is file work; a few threads are enough for all followers.
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream")

    @contextlib.contextmanager
    def following(self, run_id: int, token_id: int) -> Iterator[None]:
        """Keep an eye on a run and a token for as long as the `with` lasts."""
        self._runs[run_id] += 1
        self._tokens[token_id] += 1
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            for counter, key in ((self._runs, run_id), (self._tokens, token_id)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            if run_id not in self._runs:
                self.states.pop(run_id, None)
            if not self._runs and self._task is not None:
                self._task.cancel()
                self._task = None
                self.revoked.clear()

    @contextlib.contextmanager
    def feed(self, key: Hashable, make: Callable[[], AnyFeed]) -> Iterator[AnyFeed]:
        """The shared feed of `key`, made by the first follower and closed after the last."""
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = make()
        feed.enter()
        try:
            yield feed  # type: ignore[misc]  # the key says which kind of feed it is
        finally:
            if feed.leave():
                del self._feeds[key]

    async def state(self, run_id: int) -> RunState:
        """The newest known state of a followed run; asked for at once the first time."""
        if run_id not in self.states:
            await self._ask_runs([run_id])
        return self.states[run_id]

    async def _run(self) -> None:
        tokens_at = 0.0
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            before = dict(self.states)
            try:
                await self._ask_runs(list(self._runs))
                if time.monotonic() - tokens_at >= TOKEN_SECONDS:
                    tokens_at = time.monotonic()
                    await self._ask_tokens()
            except Exception:  # a database that is away for a moment must not end the streams
                log.exception("stream_checks_failed")
                continue
            if self.states != before or self.revoked:
                for feed in list(self._feeds.values()):
                    feed.wake()

    async def _ask_runs(self, run_ids: list[int]) -> None:
        known = await self.in_thread(lambda: self.checks.run_states(run_ids))
        gone = RunState("canceled", is_final=True)
        for run_id in run_ids:
            self.states[run_id] = known.get(run_id, gone)

    async def _ask_tokens(self) -> None:
        asked = list(self._tokens)
        live = await self.in_thread(lambda: self.checks.live_tokens(asked))
        self.revoked = set(asked) - live

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do work that may block in one of a few threads."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)


_hubs: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = weakref.WeakKeyDictionary()


def hub_of_this_loop(checks: Checks) -> Hub:
    """The hub of the running event loop, made when the first stream needs it."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(checks)
    return hub
