"""The lease of an attempt: whether the run is still ours, and if not, why."""

import threading
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any


class Ending(Enum):
    """Why an attempt stops before its work is done."""

    CANCELED = "the run was canceled or has ended"
    LOST = "the lease is lost"
    DEADLINE = "the run's deadline has passed"
    SHUTDOWN = "the runner is shutting down"

    @property
    def final(self) -> bool:
        """Return whether the server would take no more results."""
        return self in (Ending.CANCELED, Ending.LOST)


class Stopped(Exception):
    """The attempt is to stop."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.value)
        self.ending = ending


class Abandoned(Exception):
    """Work that is not worth going on with: another part of the run has failed for good."""


# After a shutdown or the deadline, what is already under way may still be said this long.
LAST_WORDS_S = 15.0


class Lease:
    """The state that all threads of an attempt share.

    The first reason to stop stays, except that a final one replaces another, and a lost
    lease replaces everything: then nothing may be reported at all.
    """

    def __init__(self, seconds: float, deadline_at: float, log_interval_ms: int = 1000) -> None:
        """seconds: how long a lease holds. deadline_at: of time.monotonic()."""
        self.seconds = seconds
        self.deadline_at = deadline_at
        self.log_interval_ms = log_interval_ms
        self.ending: Ending | None = None
        self.ended_at = 0.0
        self.changed = threading.Condition()

    @property
    def over(self) -> bool:
        """Return whether the work is to stop; looks at the deadline too."""
        if self.ending is None and time.monotonic() >= self.deadline_at:
            self.end(Ending.DEADLINE)
        return self.ending is not None

    @property
    def lost(self) -> bool:
        """Return whether nothing may be reported any more."""
        return self.ending is Ending.LOST

    def check(self) -> None:
        """Raise Stopped when the work is to stop."""
        if self.over and self.ending is not None:
            raise Stopped(self.ending)

    def end(self, ending: Ending) -> None:
        """Stop the work for this reason."""
        with self.changed:
            outranked = self.ending is Ending.LOST or (self.ending is not None and not ending.final)
            if outranked or self.ending is ending:
                return
            self.ending, self.ended_at = ending, time.monotonic()
            self.changed.notify_all()

    def renew(self, answer: Mapping[str, Any]) -> None:
        """Take over what every 2xx answer of an attempt carries."""
        lease = answer.get("lease")
        if isinstance(lease, dict) and isinstance(lease.get("seconds"), int | float):
            self.seconds = max(1.0, float(lease["seconds"]))
        interval = answer.get("log_interval_ms")
        if isinstance(interval, int) and not isinstance(interval, bool):
            self.log_interval_ms = min(max(interval, 50), 60_000)
        if answer.get("canceled") is True:
            self.end(Ending.CANCELED)

    def patient(self) -> bool:
        """Return whether it still makes sense to try to report something."""
        if not self.over:
            return True
        if self.ending is not None and self.ending.final:
            return False
        return time.monotonic() < self.ended_at + LAST_WORDS_S

    def sleep(self, seconds: float) -> None:
        """Sleep, at most until the reason to stop changes or patience ends."""
        with self.changed:
            before = self.ending
            until = self.deadline_at if before is None else self.ended_at + LAST_WORDS_S
            seconds = min(seconds, max(0.0, until - time.monotonic()))
            self.changed.wait_for(lambda: self.ending is not before, seconds)
