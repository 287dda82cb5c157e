"""Sends a run's log to the server in the background, from the offset it acknowledged."""

import logging
import threading
import time

from mod_ci.runner.client import NoAnswer, Refused, pause_after, pauses
from mod_ci.runner.lease import Stopped
from mod_ci.runner.limits import MIB
from mod_ci.runner.protocol import Attempt, append_log
from mod_ci.runner.spool import Spool

logger = logging.getLogger(__name__)


class LogSender:
    """A thread that appends what the spool holds; the work never waits for it.

    base: the server's offset of the spool's first byte. sent: how much of the spool the
    server has.
    """

    def __init__(self, attempt: Attempt, spool: Spool, base: int) -> None:
        self.attempt, self.spool = attempt, spool
        self.base, self.sent = base, 0
        self.hurry = threading.Event()
        self.stopped = threading.Event()
        self.idle = threading.Condition()
        self.thread = threading.Thread(target=self.work, name="log", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self.thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Send all there is, for at most that long; returns whether all was sent."""
        until = time.monotonic() + timeout_s
        with self.idle:
            while self.sent < self.spool.size and self.thread.is_alive():
                self._wake()
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self.idle.wait(min(left, 0.5))
        return self.sent >= self.spool.size

    def stop(self) -> None:
        """Send no more, and wait for the append that is under way."""
        self.stopped.set()
        self._wake()
        self.thread.join(5)

    def work(self) -> None:
        """Append until stopped, or until the server takes no more: a line at once, where none came
        for a while, and what follows at the pace that the server asks for."""
        pause = pauses()
        next_at = 0.0
        while not self.stopped.is_set():
            self.wait_for_lines()
            self.hurry.wait(max(0.0, next_at - time.monotonic()))
            self.hurry.clear()
            try:
                self.catch_up()
                pause = pauses()
                next_at = time.monotonic() + self.attempt.lease.log_interval_ms / 1000
            except NoAnswer as error:
                logger.warning("%s", error)
                wait_s = pause_after(error, next(pause))
                next_at = time.monotonic() + wait_s
                self.stopped.wait(min(wait_s, 1.0))
            except (Stopped, Refused, OSError) as error:
                # The results go on without a log; whoever reads it sees that it stops.
                logger.warning("The log is not sent any further: %s", error)
                self.give_up()
                return
            finally:
                with self.idle:
                    self.idle.notify_all()

    def wait_for_lines(self) -> None:
        """Wait until the spool holds what was not sent, or until somebody is in a hurry."""
        while not (self.stopped.is_set() or self.hurry.is_set() or self.sent < self.spool.size):
            self.spool.news.clear()
            if self.sent >= self.spool.size and not self.hurry.is_set():
                self.spool.news.wait()

    def _wake(self) -> None:
        self.hurry.set()
        self.spool.news.set()

    def catch_up(self) -> None:
        """Append all that the spool holds now."""
        while not self.stopped.is_set() and (lines := self.spool.read(self.sent, MIB)):
            try:
                answer = append_log(self.attempt, self.base + self.sent, lines)
            except Refused as refusal:
                if refusal.status != 416:
                    raise
                self.go_on_at(refusal)
                continue
            self.sent += len(lines)
            if answer.get("log_full") is True:
                logger.warning("The server's log of this run is full")
                self.give_up()

    def go_on_at(self, refusal: Refused) -> None:
        """Go on at the offset that the server names; raises the refusal if it names none."""
        offset = refusal.details.get("offset")
        if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            raise refusal
        if self.base <= offset <= self.base + self.spool.size:
            if offset == self.base + self.sent:
                raise refusal  # the offset is the one it has just refused
            self.sent = offset - self.base
        else:
            # The log there is not what we left (lost, or written to by someone): what it
            # does not have yet belongs behind what it has.
            self.base = offset - self.sent

    def give_up(self) -> None:
        """Take no more lines: nobody will get them."""
        self.spool.stop()
        self.sent = self.spool.size
