"""Waiting for what a test can observe, with an end."""

import time
from collections.abc import Callable, Iterator

# Reached only by what never comes, also on a machine that has much else to do.
PATIENCE_SECONDS = 120.0


def until(condition: Callable[[], object], *, pause: float = 0.02) -> None:
    """Wait until a condition is true. Raises AssertionError when it does not become so."""
    for _ in tries(pause):
        if condition():
            return


def tries(pause: float = 0.02) -> Iterator[None]:
    """Yield once for each try, with a pause between two, until the caller leaves the loop.

    Raises AssertionError when the caller still tries after `PATIENCE_SECONDS`.
    """
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        yield
        time.sleep(pause)
    raise AssertionError("it did not come true")
