"""The file that the pytest plugin writes, read while it grows."""

import json
import os
from pathlib import Path

from mod_ci.runner.files import open_regular
from mod_ci.runner.reports.model import (
    LARGEST_REPORT,
    MOST_TESTS,
    WORST_FIRST,
    Report,
    Test,
    duration,
    name,
    text,
)

AT_ONCE = 1024 * 1024
# The plugin's longest line: 64 KiB of text, each character escaped as two.
LONGEST_LINE = AT_ONCE


class Live:
    """Reads the finished tests of $CI_REPORT/tests.jsonl, each once."""

    def __init__(self, path: Path) -> None:
        self.report = Report(path.name, "reportlog")
        self.running: str | None = None
        self._path = path
        self._at = 0
        self._rest = b""
        self._is_skipping = False
        self._sessions = [0, 0]

    @property
    def is_whole(self) -> bool | None:
        """Whether every session has come to its end; None if none was begun."""
        begun, ended = self._sessions
        if not begun and self.report.error is None:
            return None
        return begun == ended and self.report.error is None

    def poll(self) -> list[Test]:
        """Return the tests that ended since, as long as any are there within a mebibyte."""
        if self.report.error is not None:
            return []
        file = open_regular(self._path)
        if file is None:
            return []
        with file:
            if os.fstat(file.fileno()).st_size < self._at:
                self.report.error = "It was cut while it was read."
                return []
            if self._at >= LARGEST_REPORT:
                self.report.cut = f"Only its first {LARGEST_REPORT} bytes were read."
                # Its end says whether it is whole.
                end = os.fstat(file.fileno()).st_size - LONGEST_LINE
                if end > self._at:
                    self._at, self._rest, self._is_skipping = end, b"", True
            file.seek(self._at)
            data = file.read(AT_ONCE)
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = []
        for line in lines:
            if self._is_skipping:
                self._is_skipping = False
            elif (test := self._line(line)) is not None:
                found.append(test)
        if len(self._rest) > LONGEST_LINE:
            self._rest, self._is_skipping = b"", True
            self.report.cut = "A line was too long and was left out."
        return found

    def drain(self) -> list[Test]:
        """Return all tests that ended since, to the file's end."""
        found: list[Test] = []
        before = -1
        while before != self._at:
            before = self._at
            found += self.poll()
        return found

    def _line(self, line: bytes) -> Test | None:
        try:
            event = json.loads(line)
            kind = event["event"]
            if kind in ("session_start", "session_end"):
                self._sessions[kind == "session_end"] += 1
            elif kind == "start":
                self.running = name(str(event["nodeid"]))
            elif kind == "test":
                return self._test(event)
        except (ValueError, TypeError, KeyError, RecursionError):
            self.report.cut = "A line could not be read and was left out."
        return None

    def _test(self, event: dict[str, object]) -> Test | None:
        nodeid, outcome = name(str(event["nodeid"])), str(event["outcome"])
        if outcome not in WORST_FIRST:
            raise ValueError(outcome)
        if nodeid == self.running:
            self.running = None
        if self.report.tests >= MOST_TESTS:
            self.report.cut = f"It has more than {MOST_TESTS} tests."
            return None
        message, is_cut = text(str(event.get("message") or ""))
        if is_cut or event.get("cut"):
            self.report.cut = self.report.cut or "Long messages were cut."
        self.report.tests += 1
        took = duration(event.get("duration_ms"))
        is_flaky = event.get("is_flaky") is True
        return Test(self.report.tests, nodeid, outcome, is_flaky, took, message or None)
