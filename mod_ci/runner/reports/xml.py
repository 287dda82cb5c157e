"""Reports in XML, JUnit and Cobertura, by expat; a document type of their own is refused."""

import re
from typing import BinaryIO
from xml.parsers import expat

from mod_ci.runner.reports.model import (
    LONGEST_TEXT,
    MOST_FILES,
    MOST_TESTS,
    WORST_FIRST,
    Coverage,
    Found,
    Lines,
    Unreadable,
    count,
    milliseconds,
)

DEEPEST = 100
CHUNK = 64 * 1024
MOST_LINES = 1_000_000
CONDITIONS = re.compile(r"\((\d{1,9})/(\d{1,9})\)")
FAILURES = {"error": "error", "failure": "failed", "skipped": "skipped"}
# Surefire's words for attempts before the one that counts.
PASSED_LATER = {"flakyfailure", "flakyerror"}
STATUSES = {
    "failed": "failed",
    "failure": "failed",
    "error": "error",
    "notrun": "skipped",
    "skipped": "skipped",
    "disabled": "skipped",
    "untested": "skipped",
}
# nose2 writes a test that passes against its expectation as skipped, and fails.
UNEXPECTED = "test passes unexpectedly"

Attributes = dict[str, str]


class JUnit:
    """The testcases of a JUnit file, however its suites are nested."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Found] = {}
        self.is_cut = False
        self._case: Attributes | None = None
        self._outcome = "passed"
        self._is_flaky = False
        self._pieces: list[str] | None = None
        self._length = 0
        self._messages: list[str] = []

    def start(self, path: list[str], attributes: Attributes) -> None:
        tag = path[-1]
        if tag == "testcase":
            self._case, self._messages, self._is_flaky = attributes, [], False
            self._outcome = STATUSES.get(attributes.get("status", "").lower(), "passed")
        elif self._case is not None and path[-2] == "testcase":
            if tag in PASSED_LATER:
                self._is_flaky = True
            elif tag in FAILURES:
                self._take(FAILURES[tag], attributes)

    def _take(self, outcome: str, attributes: Attributes) -> None:
        said = attributes.get("message", "")
        if outcome == "skipped" and said == UNEXPECTED:
            outcome = "failed"
        self._outcome = min(self._outcome, outcome, key=WORST_FIRST.index)
        self._pieces = [said[:LONGEST_TEXT], "\n"] if said else []
        self._length = len(said)

    def text(self, data: str) -> None:
        if self._pieces is not None and self._length <= LONGEST_TEXT:
            self._pieces.append(data)
            self._length += len(data)

    def end(self, path: list[str]) -> None:
        if path[-1] in FAILURES and self._pieces is not None:
            if len(self._messages) < 100:
                self._messages.append("".join(self._pieces).strip())
            self._pieces = None
        elif path[-1] == "testcase" and self._case is not None:
            self._finish(self._case)
            self._case = None

    def _finish(self, case: Attributes) -> None:
        key = case.get("classname", ""), case.get("name", "")
        before = self.found.pop(key, None)
        if before is None and len(self.found) >= MOST_TESTS:
            self.is_cut = True
            return
        message = "\n\n".join(filter(None, self._messages))[: LONGEST_TEXT + 1]
        if before is not None and before.message and self._outcome != "passed":
            message = f"{before.message}\n\n{message}"[: LONGEST_TEXT + 1]
        self.found[key] = Found(
            "::".join(filter(None, key)),
            self._outcome,
            self._outcome == "passed" and (self._is_flaky or before is not None),
            milliseconds(case.get("time", "")),
            message or None,
        )


class Cobertura:
    """The lines of a Cobertura file, each once, whatever methods and classes they are in."""

    def __init__(self) -> None:
        self.files: dict[str, Lines] = {}
        self.is_cut = False
        self._has_branches = False
        self._lines = 0
        self._file: Lines | None = None

    def start(self, path: list[str], attributes: Attributes) -> None:
        tag = path[-1]
        if tag == "coverage":
            self._has_branches = (
                count(attributes.get("branches-valid", "")) > 0
                or count(attributes.get("branch-rate", "")) == 1
            )
        elif tag == "class":
            file = attributes.get("filename", "")
            self._file = self.files.get(file)
            if self._file is None and len(self.files) < MOST_FILES:
                self._file = self.files[file] = Lines()
            self.is_cut = self.is_cut or self._file is None
        elif tag == "line" and self._file is not None:
            self._line(self._file, attributes)

    def _line(self, file: Lines, attributes: Attributes) -> None:
        self._lines += 1
        if self._lines > MOST_LINES:
            self.is_cut = True
            return
        number = count(attributes.get("number", ""))
        file.hit(number, count(attributes.get("hits", "")) > 0)
        conditions = CONDITIONS.search(attributes.get("condition-coverage", ""))
        if conditions:
            self._has_branches = True
            covered, total = int(conditions[1]), int(conditions[2])
            file.branch(str(number), min(covered, total), total)

    def text(self, data: str) -> None:
        """Sources are of no use: names stay as they are in the report."""

    def end(self, path: list[str]) -> None:
        if path[-1] == "class":
            self._file = None

    def coverage(self) -> list[Coverage]:
        """The sums of each file."""
        return [lines.coverage(file, self._has_branches) for file, lines in self.files.items()]


ROOTS: dict[str, type[JUnit] | type[Cobertura]] = {
    "testsuites": JUnit,
    "testsuite": JUnit,
    "coverage": Cobertura,
}


class _Document:
    """Hands the elements of a document to the reader that its root asks for."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.content: JUnit | Cobertura | None = None
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.doctype

    def start(self, tag: str, attributes: Attributes) -> None:
        self.path.append(tag.rpartition(":")[2].lower())
        if self.content is None:
            if self.path[0] not in ROOTS:
                raise Unreadable(f"Its root <{tag[:50]}> is none of a known report.")
            self.content = ROOTS[self.path[0]]()
        if len(self.path) > DEEPEST:
            raise Unreadable(f"It is nested deeper than {DEEPEST} elements.")
        self.content.start(self.path, attributes)

    def end(self, _: str) -> None:
        if self.content is not None:
            self.content.end(self.path)
        self.path.pop()

    def text(self, data: str) -> None:
        if self.content is not None:
            self.content.text(data)

    def doctype(self, _: str, __: object, ___: object, has_declarations: int) -> None:
        # Cobertura's own files only name a DTD; expat loads none.
        if has_declarations:
            raise Unreadable("It declares a document type of its own, which is refused.")


def read_xml(file: BinaryIO) -> tuple[JUnit | Cobertura | None, str | None]:
    """The report, as far as it can be read, and why no further; None if it is none of these."""
    document = _Document()
    try:
        while chunk := file.read(CHUNK):
            document.parser.Parse(chunk, False)
        document.parser.Parse(b"", True)
    except Unreadable as error:
        return document.content, str(error)
    except (expat.ExpatError, ValueError, LookupError) as error:
        return document.content, f"It is no well-formed XML: {error}"
    return document.content, None
