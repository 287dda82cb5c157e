"""Printing: data on the standard output, everything else on the error output."""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from ccextractor_ci.failures import Failure

COLOURS = {
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
    "bold": 1,
    "dim": 2,
}
OF_STATUS = {
    "pass": "green", "success": "green", "passed": "green", "approved": "green", "fixed": "green",
    "fail": "red", "failure": "red", "failed": "red", "missing_output": "red", "rejected": "red",
    "error": "magenta", "canceled": "magenta", "incomplete": "magenta", "timed_out": "magenta",
    "out_of_memory": "magenta", "running": "yellow", "queued": "yellow", "new_failure": "red",
}  # fmt: skip
# A terminal obeys these; what a test printed must not reach it. Colours (SGR) may be let through.
CONTROL = re.compile(
    r"\x1b\[(?P<colour>[0-9;]*)m|\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]",
    re.DOTALL,
)
BAR_WIDTH = 24


class Output:
    """Prints for people, or JSON for programs (`-o json`)."""

    def __init__(self, *, as_json: bool = False, colour: bool | None = None) -> None:
        self.as_json = as_json
        self.is_coloured = _wants_colour(sys.stdout) if colour is None else colour
        self._bar_shown = False

    def line(self, text: str = "") -> None:
        """Print a line of data at once."""
        self.clear_bar()
        print(text, flush=True)

    def json(self, value: object) -> None:
        """Print a value as JSON."""
        self.clear_bar()
        print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)

    def notice(self, sentence: str) -> None:
        """Tell something that is no data."""
        self.clear_bar()
        print(self.safe(sentence), file=sys.stderr, flush=True)

    def failure(self, failure: Failure) -> None:
        """Tell why a command failed; as JSON in the shape of the API's errors."""
        if self.as_json:
            self.clear_bar()
            told = {"code": failure.code, "message": str(failure), "details": failure.details}
            print(json.dumps(told, ensure_ascii=False), file=sys.stderr, flush=True)
            return
        self.notice(f"ci: {failure}")
        fields = failure.details.get("fields")
        for field, problem in fields.items() if isinstance(fields, dict) else ():
            self.notice(f"  {field}: {problem}")
        needed = failure.details.get("required_scope")
        if needed:
            self.notice(f"  The token needs the scope {needed}.")

    def paint(self, text: str, *names: str) -> str:
        """`text` in colours, where they are wanted."""
        if not self.is_coloured or not names:
            return text
        codes = ";".join(str(COLOURS[name]) for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def status(self, status: str | None) -> str:
        """A status in its colour."""
        return self.paint(status or "-", *([OF_STATUS[status]] if status in OF_STATUS else []))

    def safe(self, text: object, *, keeps_colour: bool = False) -> str:
        """Text of others without what a terminal would obey."""
        keeps = keeps_colour and self.is_coloured

        def kept(found: re.Match[str]) -> str:
            return found[0] if keeps and found["colour"] is not None else ""

        clean = CONTROL.sub(kept, str(text))
        return clean + "\x1b[0m" if keeps and "\x1b" in clean else clean

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows under a head, the columns as wide as they need."""
        lines = [list(head), *[list(row) for row in rows]]
        widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
        for number, line in enumerate(lines):
            cells = [
                cell + " " * (width - _width(cell))
                for cell, width in zip(line, widths, strict=True)
            ]
            text = "  ".join(cells).rstrip()
            self.line(self.paint(text, "bold") if number == 0 else text)

    def bar(self, done: int, total: int, text: str) -> None:
        """Show how far something is, where a person looks at it."""
        if not sys.stderr.isatty():
            return
        filled = BAR_WIDTH * done // total if total else 0
        shown = f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done}/{total} {self.safe(text)}"
        columns = shutil.get_terminal_size().columns
        sys.stderr.write("\r\x1b[K" + shown[: columns - 1])
        sys.stderr.flush()
        self._bar_shown = True

    def clear_bar(self) -> None:
        """Take the bar away, before something else is printed."""
        if self._bar_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._bar_shown = False


def _width(text: str) -> int:
    """How many places a text takes, without its colours."""
    return len(CONTROL.sub("", text))


def _wants_colour(stream: TextIO) -> bool:
    """Return whether colours are wanted (no-color.org, and FORCE_COLOR)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (
        stream.isatty() and os.environ.get("TERM") != "dumb"
    )


def short_time(value: Any) -> str:
    """A time of the API, to the second, in UTC."""
    return str(value)[:19].replace("T", " ") if value else "-"


def duration(milliseconds: Any) -> str:
    """A duration as people say it."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"
