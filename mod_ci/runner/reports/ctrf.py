"""Tests in CTRF's JSON, read one by one: a whole document of strangers could fill the memory."""

import codecs
import json
import re
from typing import BinaryIO

from mod_ci.runner.reports.model import MOST_TESTS, Found, Unreadable, duration

AT_ONCE = 1024 * 1024
LARGEST_TEST = 512 * 1024
TESTS = re.compile(r'"tests"\s*:\s*\[')
GAP = re.compile(r"[\s,]*")
OUTCOMES = {"passed": "passed", "failed": "failed", "skipped": "skipped", "pending": "skipped"}


class _Window:
    """A piece of a text that moves on."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self.text = ""
        self.at = 0
        self.is_end = False

    def fill(self) -> None:
        """Have LARGEST_TEST characters ahead, or all that are left."""
        if len(self.text) - self.at >= LARGEST_TEST or self.is_end:
            return
        data = self.file.read(AT_ONCE)
        self.is_end = not data
        self.text = self.text[self.at :] + self.decoder.decode(data, self.is_end)
        self.at = 0


def read_ctrf(file: BinaryIO) -> tuple[list[Found], bool, str | None]:
    """The tests, whether there were too many, and why it could be read no further."""
    window = _Window(file)
    window.fill()
    begin = TESTS.search(window.text)
    if begin is None or '"results"' not in window.text[: begin.start()]:
        raise Unreadable("It has no list of tests as CTRF has it.")
    window.at = begin.end()
    decoder = json.JSONDecoder()
    found: list[Found] = []
    while True:
        window.fill()
        gap = GAP.match(window.text, window.at)
        window.at = gap.end() if gap else window.at
        if window.text.startswith("]", window.at):
            return found, False, None
        if len(found) >= MOST_TESTS:
            return found, True, None
        try:
            test, window.at = decoder.raw_decode(window.text, window.at)
            found.append(_found(test))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return found, False, f"Its test {len(found) + 1} cannot be read."


def _found(test: dict[str, object]) -> Found:
    suite = test.get("suite") or []
    suites = [str(part) for part in suite] if isinstance(suite, list) else [str(suite)]
    name = str(test["name"])
    parts = [str(test.get("filePath") or ""), *suites, name]
    outcome = OUTCOMES.get(str(test["status"]).lower(), "error")
    retries = test.get("retries")
    again = test.get("flaky") is True or (isinstance(retries, int) and retries > 0)
    said = [test.get("message"), test.get("trace")]
    return Found(
        name if "::" in name else "::".join(filter(None, parts)),
        outcome,
        outcome == "passed" and again,
        duration(test.get("duration")),
        "\n".join(str(one) for one in said if one) or None,
    )
