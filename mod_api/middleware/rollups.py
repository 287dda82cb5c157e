"""Settling marks once an answer is sent: no reader waits for it."""

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from flask import Flask, Response, after_this_request

from database import log_failure
from mod_api import application
from mod_test.rollup.settle import settle_marks

log = structlog.get_logger("rollup")
# While runs are executed, each answer finds marks anew: settling them for each would be more work
# than deriving what they concern.
SECONDS_BETWEEN = 0.5
MOST_SECONDS_BETWEEN = 60.0  # where it failed time and again: the database is away, or full


class Pace:
    """Lets one thread of this process settle at a time, and not all the time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._seconds = SECONDS_BETWEEN

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Return whether it is this thread's turn."""
        if time.monotonic() < self._next or not self._lock.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._next = time.monotonic() + self._seconds
            self._lock.release()

    def succeeded(self) -> None:
        """Settle again soon."""
        self._seconds = SECONDS_BETWEEN

    def failed(self) -> None:
        """Wait twice as long as before the last try, up to a minute."""
        self._seconds = min(2 * self._seconds, MOST_SECONDS_BETWEEN)


def install(app: Flask) -> None:
    """Give `app` its pace."""
    app.extensions["settling_pace"] = Pace()


def settle_after_this_request() -> None:
    """Settle marks when the response of this request is closed."""
    after_this_request(_settle_once_closed)


def _settle_once_closed(response: Response) -> Response:
    app = application.current()
    response.call_on_close(functools.partial(_settle, app))
    return response


def _settle(app: Flask) -> None:
    pace: Pace = app.extensions["settling_pace"]
    with pace.turn() as is_ours, app.app_context():
        if not is_ours:
            return
        try:
            settle_marks(waits=False)
            pace.succeeded()
        except Exception as error:  # noqa: BLE001  readers derive what is marked, and try again
            pace.failed()
            log_failure(log, "marks_not_settled", error)
