"""Waiting for what a test can observe, with an end."""

import time
from collections.abc import Callable

# Reached only by what never comes, also on a machine that has much else to do.
PATIENCE_SECONDS = 120.0


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition is true. Raises AssertionError when it does not become so."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < give_up, "it did not come true"
        time.sleep(0.02)
