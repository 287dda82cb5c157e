"""The tests of a job as they end: read from its report while it runs, and sent on.

The report is a file that the job writes, so it is read with bounds and nothing in it is believed.
"""

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

from mod_ci.runner.client import NoAnswer, Refused
from mod_ci.runner.files import open_regular
from mod_ci.runner.heartbeat import JobHeart
from mod_ci.runner.lease import Stopped
from mod_ci.runner.limits import MIB
from mod_ci.runner.protocol import Attempt, put_tests

logger = logging.getLogger(__name__)

FILE = "tests.jsonl"
LOOK_EVERY_S = 0.3
MOST_BYTES = 128 * MIB
MOST_TESTS = 100_000
MOST_AT_ONCE = 200
LONGEST_LINE = 256 * 1024
LONGEST_ID, LONGEST_MESSAGE = 4000, 60_000
OUTCOMES = ("passed", "failed", "error", "skipped")


class LiveTests:
    """Sends tests from a thread of its own. is_whole: the report has come to its end."""

    def __init__(self, attempt: Attempt, heart: JobHeart, folder: Path) -> None:
        self.attempt, self.heart, self.path = attempt, heart, folder / FILE
        self.offset, self.count, self.is_whole = 0, 0, False
        self.skipping = False
        self.waiting: list[dict[str, Any]] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.live, name="tests", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self.thread.start()

    def finish(self) -> None:
        """Send what is left. Raises Stopped, NoAnswer, Refused."""
        self.stopped.set()
        self.thread.join()
        while self.read():
            self.send()
        self.send()
        self.heart.at(None if self.is_whole else self.heart.test)

    def live(self) -> None:
        """Look and send until told to stop; what could not be sent is tried again later."""
        while not self.stopped.wait(LOOK_EVERY_S):
            try:
                self.read()
                self.send()
            except (NoAnswer, OSError) as error:
                logger.warning("%s", error)
            except (Stopped, Refused) as error:
                logger.warning("Tests are not reported any further: %s", error)
                return

    def read(self) -> bool:
        """Read on in the report; whether there was anything new."""
        file = open_regular(self.path)
        if file is None or self.offset >= MOST_BYTES:
            return False
        with file:
            size = os.fstat(file.fileno()).st_size
            file.seek(self.offset)
            data = file.read(min(MIB, max(0, size - self.offset)))
        end = data.rfind(b"\n") + 1
        if end == 0:
            if len(data) < LONGEST_LINE:
                return False
            # The beginning of a line that is too long: what follows of it is left out.
            self.offset, self.skipping = self.offset + len(data), True
            return True
        self.offset += end
        for line in data[:end].splitlines():
            if self.skipping:
                self.skipping = False
                continue
            self.take(line)
        return True

    def take(self, line: bytes) -> None:
        """Take a line of the report, unless it is none of ours."""
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(told, dict):
            return
        nodeid = text(told.get("nodeid"), LONGEST_ID)
        match told.get("event"):
            case "start" if nodeid:
                self.heart.at(nodeid)
            case "test" if nodeid and told.get("outcome") in OUTCOMES:
                self.heart.at(None)
                if self.count < MOST_TESTS:
                    self.count += 1
                    self.waiting.append(test_of(self.count, nodeid, told))
            case "session_end":
                self.is_whole = True

    def send(self) -> None:
        """Send the tests that wait, in batches that fit into a body."""
        while self.waiting:
            batch: list[dict[str, Any]] = []
            size = 0
            for test in self.waiting[:MOST_AT_ONCE]:
                size += len(json.dumps(test))
                if batch and size > MIB * 3 // 4:
                    break
                batch.append(test)
            put_tests(self.attempt, batch)
            del self.waiting[: len(batch)]


def test_of(number: int, nodeid: str, told: dict[str, Any]) -> dict[str, Any]:
    """A test in the protocol's shape."""
    duration = told.get("duration_ms")
    is_number = isinstance(duration, int) and not isinstance(duration, bool)
    return {
        "number": number,
        "nodeid": nodeid,
        "outcome": told["outcome"],
        "is_flaky": told.get("is_flaky") is True,
        "duration_ms": min(max(duration, 0), 2**31 - 1) if is_number else None,  # type: ignore[type-var]
        "message": text(told.get("message"), LONGEST_MESSAGE) or None,
    }


def text(value: object, most: int) -> str:
    """A text that the server takes: without NUL and halves of surrogate pairs, and bounded."""
    if not isinstance(value, str):
        return ""
    clean = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return clean if len(clean) <= most else clean[: most - 1] + "…"
