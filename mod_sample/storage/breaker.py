"""Not asking a dead bucket again for every request."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from mod_sample.storage.errors import Damaged, NotStored, OutOfRange, StorageUnavailable

T = TypeVar("T")


class Breaker:
    """Remembers, in this process, whether the bucket answered when it was last asked.

    After a failure nobody asks for `pause_s` seconds; then one caller may, and if that
    fails too, the next pause begins.
    """

    def __init__(self, pause_s: float = 10.0) -> None:
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._closed_until: float | None = None
        self._answered_at: float | None = None

    def allows(self) -> bool:
        """Return whether to ask now. Who is allowed to must report with `answered` or `failed`."""
        with self._lock:
            if self._closed_until is None:
                return True
            now = time.monotonic()
            if now < self._closed_until:
                return False
            self._closed_until = now + self._pause_s
            return True

    def answered(self) -> None:
        """The bucket answered, be it that it has no such file."""
        with self._lock:
            self._closed_until = None
            self._answered_at = time.monotonic()

    def failed(self) -> None:
        """The bucket did not answer, or not in time."""
        with self._lock:
            self._closed_until = time.monotonic() + self._pause_s
            self._answered_at = None

    def heard_within(self, seconds: float) -> bool:
        """Return whether the bucket answered so recently, and has not failed since."""
        with self._lock:
            answered_at = self._answered_at
        return answered_at is not None and time.monotonic() - answered_at <= seconds

    def call(self, ask: Callable[[], T]) -> T:
        """What `ask` gives or raises, unless the bucket was found dead just now.

        Raises StorageUnavailable then.
        """
        if not self.allows():
            raise StorageUnavailable("the bucket did not answer lately and is not asked again yet")
        try:
            result = ask()
        except (NotStored, OutOfRange, Damaged):
            self.answered()
            raise
        except StorageUnavailable:
            self.failed()
            raise
        self.answered()
        return result
