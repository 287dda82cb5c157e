"""Asking many questions at once, with one time limit for all answers."""

import logging
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from mod_sample.storage.errors import StorageError, StorageUnavailable

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

_WORKERS = 16
_pools: dict[int, ThreadPoolExecutor] = {}


def ask_all(
    ask: Callable[[str], Answer], keys: Iterable[str], within_s: float
) -> dict[str, Answer]:
    """The answers of `ask` that came within so many seconds; an error is no answer.

    One pool of threads serves the whole process. What has not begun when the time is over
    is not begun; what has ends by itself, and nobody waits for it.
    """
    pool = _pool()
    futures: dict[str, Future[Answer]] = {key: pool.submit(ask, key) for key in keys}
    done, late = wait(futures.values(), timeout=within_s)
    for future in late:
        future.cancel()
    answers: dict[str, Answer] = {}
    for key, future in futures.items():
        if future in done:
            error = future.exception()
            if error is None:
                answers[key] = future.result()
            elif not isinstance(error, StorageError):
                log.error("Asking for %s failed", key, exc_info=error)
    return answers


def ask_within(ask: Callable[[], Answer], within_s: float) -> Answer:
    """The answer of `ask`, or what it raises, where that comes within so many seconds.

    Who sends one byte after the other never runs into the time limit of a read. What goes on is
    left to end by itself. Raises StorageUnavailable.
    """
    future = _pool().submit(ask)
    try:
        return future.result(timeout=within_s)
    except TimeoutError:
        future.cancel()
        raise StorageUnavailable(f"no answer within {within_s:.1f} s") from None


def _pool() -> ThreadPoolExecutor:
    # Threads do not survive a fork: a child process makes its own.
    pid = os.getpid()
    pool = _pools.get(pid)
    if pool is None:
        made = ThreadPoolExecutor(_WORKERS, thread_name_prefix="storage")
        pool = _pools.setdefault(pid, made)
    return pool
