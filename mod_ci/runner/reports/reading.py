"""Finds the reports in a folder that a job left, without following links, and reads them."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from mod_ci.runner.reports.ctrf import read_ctrf
from mod_ci.runner.reports.lcov import read_lcov
from mod_ci.runner.reports.model import (
    LARGEST_REPORT,
    MOST_FILES,
    MOST_TESTS,
    Coverage,
    Found,
    Report,
    Reports,
    Test,
    Unreadable,
    name,
    text,
)
from mod_ci.runner.reports.xml import JUnit, read_xml

MOST_REPORTS = 200
MOST_ENTRIES = 100_000
DEEPEST = 64
KINDS = (
    ("cobertura", re.compile(r"(?:coverage|cobertura)[^/]*\.xml", re.IGNORECASE)),
    (
        "junit",
        re.compile(
            r"(?:TEST-.*|[^/]*(?:junit|xunit|test-?results?|test-?report)[^/]*)\.xml", re.IGNORECASE
        ),
    ),
    ("lcov", re.compile(r"(?:.*\.lcov|lcov\.info|coverage\.info)", re.IGNORECASE)),
    ("ctrf", re.compile(r".*ctrf.*\.json", re.IGNORECASE)),
)
SKIPPED = {".git", "node_modules", "__pycache__"}


def read(folder: Path, known: Collection[str] = (), first: int = 1) -> Reports:
    """Read every report below a folder; one that cannot be read is returned with its error.

    `known` are the nodeids that were told live: pytest's own JUnit file tells of them again.
    Numbers of tests begin with `first`.
    """
    found = Reports()
    seen = {_plain(nodeid) for nodeid in known}
    covered: set[str] = set()
    for path, kind, file in _candidates(folder):
        report = Report(name(path), kind)
        with file:
            _read_one(file, report, found, seen, covered, first)
        found.reports.append(report)
        if len(found.reports) >= MOST_REPORTS:
            break
    return found


def _read_one(
    file: BinaryIO, report: Report, found: Reports, seen: set[str], covered: set[str], first: int
) -> None:
    size = os.fstat(file.fileno()).st_size
    if size > LARGEST_REPORT:
        report.error = f"It has {size} bytes; {LARGEST_REPORT} are read."
        return
    try:
        tests, coverage, is_cut = _parse(file, report)
    except Unreadable as error:
        report.error = name(str(error))
        return
    except OSError as error:
        report.error = f"It cannot be read: {error.strerror}"
        return
    if is_cut:
        report.cut = "It has more than is read."
    report.tests = len(tests)
    _add_tests(tests, report, found, seen, first)
    for one in coverage:
        if one.file not in covered and len(covered) < MOST_FILES:
            covered.add(one.file)
            found.coverage.append(one)


def _add_tests(
    tests: list[Found], report: Report, found: Reports, seen: set[str], first: int
) -> None:
    for test in tests:
        key = _plain(test.nodeid)
        if key in seen:
            continue
        if len(found.tests) + first > MOST_TESTS:
            report.cut = f"At most {MOST_TESTS} tests of a job are kept."
            break
        seen.add(key)
        message, is_long = text(test.message or "")
        if is_long:
            report.cut = report.cut or "Long messages were cut."
        number = first + len(found.tests)
        found.tests.append(
            Test(number, name(test.nodeid), test.outcome, test.is_flaky, test.duration_ms,
                 message or None)
        )  # fmt: skip


def _parse(file: BinaryIO, report: Report) -> tuple[list[Found], list[Coverage], bool]:
    if report.kind == "lcov":
        coverage, is_cut = read_lcov(file)
        return [], coverage, is_cut
    if report.kind == "ctrf":
        tests, is_cut, report.error = read_ctrf(file)
        return tests, [], is_cut
    content, report.error = read_xml(file)
    if content is None:
        return [], [], False
    if isinstance(content, JUnit):
        report.kind = "junit"
        return list(content.found.values()), [], content.is_cut
    report.kind = "cobertura"
    return [], content.coverage() if report.error is None else [], content.is_cut


def _plain(nodeid: str) -> str:
    """The same for pytest's nodeid (a/b.py::C::f) and for its JUnit names (a.b.C::f)."""
    path, mark, rest = nodeid.partition(".py::")
    return (path.replace("/", ".") + "." + rest if mark else nodeid).replace("::", ".")


def _candidates(folder: Path) -> Iterator[tuple[str, str, BinaryIO]]:
    """Open what has a report's name: relative path, kind by name, file. The reader closes it."""
    entries = 0
    for where, folders, files, fd in os.fwalk(folder, follow_symlinks=False):
        entries += len(files) + len(folders)
        inner = os.path.relpath(where, folder)
        if entries > MOST_ENTRIES or inner.count("/") >= DEEPEST:
            folders.clear()
        folders[:] = sorted(set(folders) - SKIPPED)
        for one in sorted(files):
            kind = next((kind for kind, form in KINDS if form.fullmatch(one)), None)
            file = _opened(one, fd) if kind else None
            if kind and file:
                yield one if inner == "." else f"{inner}/{one}", kind, file


def _opened(one: str, fd: int) -> BinaryIO | None:
    try:
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(one, how, dir_fd=fd)
    except OSError:
        return None  # a link, or made unreadable: no report
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None
    return os.fdopen(file, "rb")
