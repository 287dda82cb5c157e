"""The tests of a job as they end: read from its report while it runs, and sent on."""

import json
import logging
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mod_ci.runner.client import NoAnswer, Refused
from mod_ci.runner.heartbeat import JobHeart
from mod_ci.runner.lease import Stopped
from mod_ci.runner.limits import MIB
from mod_ci.runner.protocol import Attempt, put_tests
from mod_ci.runner.reports import Live, Test

logger = logging.getLogger(__name__)

FILE = "tests.jsonl"
LOOK_EVERY_S = 0.3
MOST_AT_ONCE = 500
MOST_BYTES_AT_ONCE = MIB * 3 // 4


class LiveTests:
    """Sends tests from a thread of its own. known: the ids of those that were told."""

    def __init__(self, attempt: Attempt, heart: JobHeart, folder: Path) -> None:
        self.attempt, self.heart = attempt, heart
        self.live = Live(folder / FILE)
        self.known: set[str] = set()
        self.waiting: list[Test] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.work, name="tests", daemon=True)

    @property
    def is_whole(self) -> bool:
        """Return whether a report was begun, and has come to its end."""
        return self.live.is_whole is True

    def start(self) -> None:
        """Begin to look."""
        self.thread.start()

    def finish(self) -> None:
        """Send what is left, and say which test was running, if one was. Raises Stopped, NoAnswer,
        Refused."""
        self.stopped.set()
        self.thread.join()
        self.take(self.live.drain())
        self.send()
        self.heart.at(self.live.running)

    def work(self) -> None:
        """Look and send until told to stop; what could not be sent is tried again later."""
        while not self.stopped.wait(LOOK_EVERY_S):
            try:
                self.take(self.live.poll())
                self.heart.at(self.live.running)
                self.send()
            except (NoAnswer, OSError) as error:
                logger.warning("%s", error)
            except (Stopped, Refused) as error:
                logger.warning("Tests are not reported any further: %s", error)
                return

    def take(self, tests: Iterable[Test]) -> None:
        """Take tests over, to be sent."""
        for test in tests:
            self.known.add(test.nodeid)
            self.waiting.append(test)

    def send(self) -> None:
        """Send the tests that wait, in batches that fit into a body."""
        while self.waiting:
            batch: list[dict[str, Any]] = []
            size = 0
            for test in self.waiting[:MOST_AT_ONCE]:
                told = asdict(test)
                size += len(json.dumps(told))
                if batch and size > MOST_BYTES_AT_ONCE:
                    break
                batch.append(told)
            put_tests(self.attempt, batch)
            del self.waiting[: len(batch)]
