"""The hub of all streams of one event loop: their feeds and the checks that go on meanwhile.

One statement each asks for the state of every followed run, of every followed job, and for the
validity of every token in use, so that a thousand followers cost the database as much as one.
"""

import asyncio
import contextlib
import time
import weakref
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from database import log_failure
from mod_api.streaming.feed import Feed

log = structlog.get_logger("streams")
CHECK_SECONDS = 1.0
TOKEN_SECONDS = 4.0
END_SECONDS = 2.0
AnyFeed = TypeVar("AnyFeed", bound=Feed)
T = TypeVar("T")


# What is followed: a run by its id, or a job by its uuid.
Subject = int | str


@dataclass(frozen=True)
class RunState:
    """The state of a run or job as streams need it. `is_final`: not even its log goes on."""

    status: str
    has_ended: bool
    is_final: bool


GONE = RunState("canceled", has_ended=True, is_final=True)


@dataclass(frozen=True)
class Checks:
    """The two queries of a hub: each gets all that is followed and answers for all, in a thread."""

    run_states: Callable[[list[Subject]], dict[Subject, RunState]]
    live_tokens: Callable[[list[int]], set[int]]


@dataclass
class Hub:
    """The streams of one event loop. Used from that loop only."""

    checks: Checks
    states: dict[Subject, RunState] = field(default_factory=dict)
    revoked: set[int | None] = field(default_factory=set)
    is_ending: bool = False

    def __post_init__(self) -> None:
        self._feeds: dict[Hashable, Feed] = {}
        self._runs: Counter[Subject] = Counter()
        self._followers: dict[int | None, set[asyncio.Task[Any] | None]] = {}
        self._task: asyncio.Task[None] | None = None
        # Reading back in a log is file work; a few threads are enough for all followers.
        self.pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stream")

    @contextlib.contextmanager
    def following(self, run_id: Subject, token_id: int | None) -> Iterator[None]:
        """Keep an eye on a run or job and a token for as long as the `with` lasts. Without a token
        nobody can revoke it."""
        self._runs[run_id] += 1
        followers = self._followers.setdefault(token_id, set())
        follower = asyncio.current_task()
        followers.add(follower)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            followers.discard(follower)
            if not followers and self._followers.get(token_id) is followers:
                del self._followers[token_id]
                self.revoked.discard(token_id)
            self._runs[run_id] -= 1
            if not self._runs[run_id]:
                del self._runs[run_id]
                self.states.pop(run_id, None)
            if not self._runs and self._task is not None:
                self._task.cancel()
                self._task = None

    def is_over(self, token_id: int | None) -> bool:
        """Return whether the streams of this token are to end now."""
        return self.is_ending or token_id in self.revoked

    async def end(self) -> None:
        """End every stream: at once where the client takes what is sent, else soon."""
        self.is_ending = True
        self._wake_all()
        await self._stop(set(self._followers))

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

    async def state(self, run_id: Subject) -> RunState:
        """The newest known state of a followed run; asked for at once the first time."""
        while run_id not in self.states:
            try:
                await self._ask_runs([run_id])
            except Exception as error:  # noqa: BLE001  as below
                log_failure(log, "stream_checks_failed", error)
                await asyncio.sleep(CHECK_SECONDS)
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
            except Exception as error:  # noqa: BLE001  a database that is away for a moment ends no stream
                log_failure(log, "stream_checks_failed", error)
                continue
            if self.states != before or self.revoked:
                self._wake_all()
            if self.revoked:
                await self._stop(set(self.revoked))

    def _wake_all(self) -> None:
        for feed in list(self._feeds.values()):
            feed.wake()

    async def _stop(self, token_ids: set[int | None]) -> None:
        """Break off what has not ended by itself: its client does not take what is sent."""
        until = time.monotonic() + END_SECONDS
        while time.monotonic() < until and not token_ids.isdisjoint(self._followers):
            await asyncio.sleep(0.02)
        for token_id in token_ids & set(self._followers):
            for follower in tuple(self._followers[token_id]):
                if follower is not None:
                    follower.cancel()

    async def _ask_runs(self, run_ids: list[Subject]) -> None:
        known = await self.in_thread(lambda: self.checks.run_states(run_ids))
        for run_id in run_ids:
            if run_id in self._runs:
                self.states[run_id] = known.get(run_id, GONE)

    async def _ask_tokens(self) -> None:
        asked = [token_id for token_id in self._followers if token_id is not None]
        live = await self.in_thread(lambda: self.checks.live_tokens(asked))
        self.revoked = {token_id for token_id in asked if token_id not in live}

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


async def end_streams() -> None:
    """End the streams of the running loop, for good."""
    hub = _hubs.get(asyncio.get_running_loop())
    if hub is not None:
        await hub.end()
