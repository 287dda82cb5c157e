"""The heart of an attempt: a thread that keeps the lease while the work goes on."""

import logging
import threading
from typing import Any

from mod_ci.runner.client import NoAnswer, Refused, pause_after, pauses
from mod_ci.runner.lease import Stopped
from mod_ci.runner.protocol import Attempt, heartbeat

logger = logging.getLogger(__name__)

# Tests come and go many times a second; the server hears of it at most this often.
LEAST_INTERVAL_S = 1.0


class Heart:
    """Sends heartbeats from its own thread; any thread may say what is going on.

    longest_s: the longest time between two, however long the lease.
    """

    longest_s = 3600.0

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.stage, self.message = "", ""
        self.running: set[int] = set()
        self.lock = threading.Lock()
        self.news = threading.Event()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.live, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self.thread.start()

    def stop(self) -> None:
        """Beat no more. A beat under way is not waited for: it can do no harm."""
        self.stopped.set()
        self.news.set()

    def enter(self, stage: str, message: str) -> None:
        """Say that a stage begins, and try to let the server know before it does.

        Later beats repeat it, so a server that is away now hears of the stage then.
        Raises Stopped, and Refused when the server does not understand.
        """
        with self.lock:
            self.stage, self.message = stage, message
        try:
            self.beat()
        except NoAnswer as error:
            logger.warning("%s", error)
            self.news.set()

    def begins(self, regression_id: int) -> None:
        """Say that a regression test is being executed."""
        with self.lock:
            self.running.add(regression_id)
        self.news.set()

    def ends(self, regression_id: int) -> None:
        """Say that a regression test is not being executed any more."""
        with self.lock:
            self.running.discard(regression_id)
        self.news.set()

    def doing(self) -> dict[str, Any]:
        """What is being executed, in the protocol's words."""
        return {"running": sorted(self.running)}

    def beat(self) -> None:
        """One heartbeat with the state of this moment."""
        with self.lock:
            state = (self.stage, self.message, self.doing())
        heartbeat(self.attempt, *state)

    def live(self) -> None:
        """Beat until stopped or until the run is no longer ours."""
        pause = pauses()
        wait_s = 0.0
        while not self.stopped.is_set():
            lease = self.attempt.lease
            self.news.wait(min(lease.seconds / 4, wait_s or lease.seconds, self.longest_s))
            self.news.clear()
            if self.stopped.is_set() or (lease.ending is not None and lease.ending.final):
                return
            try:
                self.beat()
                pause, wait_s = pauses(), 0.0
                self.stopped.wait(min(LEAST_INTERVAL_S, lease.seconds / 12))
            except NoAnswer as error:
                logger.warning("%s", error)
                wait_s = pause_after(error, next(pause))
                # News must not turn the pause that the server asked for into none.
                self.stopped.wait(min(wait_s, lease.seconds / 4))
            except Stopped:
                return
            except Refused:
                # A defect on one side; the next call of the work itself meets and reports it.
                logger.exception("The heartbeat is refused")
                self.stopped.wait(lease.seconds / 4)


class JobHeart(Heart):
    """The heart of an attempt at a job: it tells which test its project says it has begun.

    It beats often, since a job that prints nothing would not hear otherwise that it was canceled.
    """

    longest_s = 3.0
    test: str | None = None

    def doing(self) -> dict[str, Any]:
        """The test that runs, in the protocol's words."""
        return {"running_test": self.test}

    def at(self, test: str | None) -> None:
        """Say which test runs now, or that none does."""
        with self.lock:
            is_new, self.test = self.test != test, test
        if is_new:
            self.news.set()
