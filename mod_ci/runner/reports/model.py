"""Tests, reports and coverage as the runner's protocol sends them, and the bounds of each."""

import math
import re
from dataclasses import dataclass, field

from mod_ci.runner.text import UNSAFE, boundary, escaped

LARGEST_REPORT = 32 * 1024 * 1024
MOST_TESTS = 100_000
MOST_FILES = 20_000
LONGEST_TEXT = 64 * 1024
LONGEST_NAME = 2000
LONGEST_DURATION_MS = 10**12
WORST_FIRST = ("error", "failed", "skipped", "passed")
COLOUR = re.compile(r"(?:#x1B|\x1b)\[[0-9;]*m")
GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
GROUPED_BY_DOTS = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+")
DECIMAL_COMMA = re.compile(r"\d+,\d+")


class Unreadable(Exception):
    """A report that cannot be read; the message says why."""


@dataclass
class Test:
    """A test that has ended."""

    number: int
    nodeid: str
    outcome: str
    is_flaky: bool = False
    duration_ms: int | None = None
    message: str | None = None


@dataclass
class Report:
    """A file with a report: how many tests it has, what was cut, why it cannot be read."""

    name: str
    kind: str
    tests: int = 0
    cut: str | None = None
    error: str | None = None


@dataclass
class Coverage:
    """How much of a file was executed; branches are None where nobody measured them."""

    file: str
    lines: int
    covered_lines: int
    branches: int | None = None
    covered_branches: int | None = None


@dataclass
class Reports:
    """All that was found in a folder."""

    tests: list[Test] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)


@dataclass
class Found:
    """A test as its report tells it."""

    nodeid: str
    outcome: str
    is_flaky: bool = False
    duration_ms: int | None = None
    message: str | None = None


def text(value: str, most: int = LONGEST_TEXT) -> tuple[str, bool]:
    """The text without colours, unsafe characters escaped, in at most `most` bytes; was it cut?"""
    is_cut = len(value) > most
    value = COLOUR.sub("", value[:most].replace("\r\n", "\n"))
    value = UNSAFE.sub(
        lambda found: "\n" if found.group() == "\n" else escaped(ord(found.group())), value
    )
    data = value.encode()
    if len(data) > most:
        return data[: boundary(data, most)].decode(), True
    return value, is_cut


def name(value: str) -> str:
    """A name in one line of at most LONGEST_NAME bytes."""
    return text(value.replace("\n", " "), LONGEST_NAME)[0] or "(no name)"


def milliseconds(value: str) -> int | None:
    """Seconds as tools print them (8.5e-05, 1,234.56, 0,5) in milliseconds, else None."""
    value = value.strip()
    if GROUPED.fullmatch(value):
        value = value.replace(",", "")
    elif GROUPED_BY_DOTS.fullmatch(value):
        value = value.replace(".", "").replace(",", ".")
    elif DECIMAL_COMMA.fullmatch(value):
        value = value.replace(",", ".")
    try:
        return duration(float(value) * 1000)
    except ValueError:
        return None


def duration(value: object) -> int | None:
    """A number of milliseconds that is a duration, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not 0 <= value <= LONGEST_DURATION_MS:
        return None
    return round(value)


def count(value: str) -> int:
    """A number of times as a report has it; 0 where it is none."""
    try:
        return max(0, int(float(value)))
    except (ValueError, OverflowError):
        return 0


class Lines:
    """The lines and branches of one source file, however often a report tells of them."""

    def __init__(self) -> None:
        self.lines: dict[int, bool] = {}
        self.branches: dict[str, tuple[int, int]] = {}
        self.totals: dict[str, int] = {}

    def hit(self, line: int, is_covered: bool) -> None:
        """Add a line."""
        self.lines[line] = is_covered or self.lines.get(line, False)

    def branch(self, place: str, covered: int, total: int) -> None:
        """Add the branches of a place; the best of several tellings counts."""
        before = self.branches.get(place, (0, 0))
        self.branches[place] = (max(covered, before[0]), max(total, before[1]))

    def coverage(self, file: str, with_branches: bool) -> Coverage:
        """The sums, counted; a report's own only where it lists nothing."""
        said = self.totals
        branches = covered_branches = None
        if with_branches:
            branches = sum(total for _, total in self.branches.values()) or said.get("BRF", 0)
            covered_branches = sum(hits for hits, _ in self.branches.values())
            if not self.branches:
                covered_branches = min(said.get("BRH", 0), branches)
        lines = len(self.lines) or said.get("LF", 0)
        covered = sum(self.lines.values()) if self.lines else min(said.get("LH", 0), lines)
        return Coverage(name(file), lines, covered, branches, covered_branches)
