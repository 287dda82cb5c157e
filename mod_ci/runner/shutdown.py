"""SIGTERM and SIGINT: the first asks for an end in order, the second ends at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Shutdown:
    """Whether the runner was asked to end, and who is to be told."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.lock = threading.Lock()
        self.told: list[Callable[[], None]] = []
        self.signals = 0

    @property
    def requested(self) -> bool:
        """Return whether the runner was asked to end."""
        return self.asked.is_set()

    def install(self) -> None:
        """Let SIGTERM and SIGINT of this process ask for the end."""
        read_end, write_end = os.pipe()

        def on_signal(_number: int, _frame: object) -> None:
            self.signals += 1
            if self.signals > 1:
                # All that runs is killed nevertheless: each keeper sees its control close.
                os._exit(1)
            # Nothing else: whatever lock this would take, the interrupted code may hold.
            os.write(write_end, b"x")

        def wait() -> None:
            os.read(read_end, 1)
            self.request()

        threading.Thread(target=wait, name="shutdown", daemon=True).start()
        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)

    def request(self) -> None:
        """Ask for the end, as a signal does."""
        self.asked.set()
        with self.lock:
            told = list(self.told)
        for callback in told:
            callback()

    @contextmanager
    def tells(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, a request calls this; one that was made before calls it now."""
        with self.lock:
            self.told.append(callback)
        try:
            if self.requested:
                callback()
            yield
        finally:
            with self.lock:
                self.told.remove(callback)
