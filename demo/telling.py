"""What the script says."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(text: str, *, error: bool = False) -> None:
    """One line or more, for the person at the terminal."""
    stream = sys.stderr if error else sys.stdout
    stream.write(f"{text}\n")
    stream.flush()


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say that a step was done, and what it took when it took a while."""
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    say(f"{what}: ready" + (f" ({seconds:.0f} s)" if seconds >= 2 else ""))
