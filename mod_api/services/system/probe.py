"""Asking what may hang: one question at a time, whose answer goes to all who ask meanwhile."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Probe(Generic[Answer]):
    """Calls `ask` in a thread of its own, called `name`.

    What hangs thus holds one thread and one connection, leaves nothing to be done once it goes on,
    and keeps no other probe waiting.
    """

    def __init__(self, name: str, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._lock = Lock()
        self._asked: Future[Answer] | None = None

    def begin(self) -> Future[Answer]:
        """The answer to come: of the question that is being asked, else of a new one."""
        with self._lock:
            if self._asked is None or self._asked.done():
                self._asked = self._pool.submit(self._ask)
            return self._asked
