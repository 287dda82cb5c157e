"""`ci review`: a run's differences one by one, decided by single keys."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ccextractor_ci import failures
from ccextractor_ci.cli import baselines, diffs
from ccextractor_ci.cli.session import Session
from ccextractor_ci.pages import items

HELP = """  j, k   next, previous        a   accept           x   a bug (told at the end)
  g      accept all alike      u   undo the mark    l   line by line
  s      send with one reason  q   leave            ?   this help"""
SHORTEST_REASON = 10


@dataclass
class Difference:
    """One output that differs, and what was decided: "accept", "bug", or nothing yet."""

    entry: dict[str, Any]
    mark: str = ""

    @property
    def group(self) -> str | None:
        """Return the key that outputs whose captions changed alike share."""
        return self.entry.get("group")


class Review:
    """The queue: where somebody is in it, and what each key does."""

    def __init__(self, session: Session, differences: list[Difference]) -> None:
        self.session = session
        self.differences = differences
        self.place = 0
        self.by_lines = False
        self._history: list[list[tuple[Difference, str]]] = []

    @property
    def current(self) -> Difference:
        return self.differences[self.place]

    @property
    def accepted(self) -> list[Difference]:
        return [each for each in self.differences if each.mark == "accept"]

    @property
    def bugs(self) -> list[Difference]:
        return [each for each in self.differences if each.mark == "bug"]

    def press(self, key: str) -> None:
        """Do what a key says; other keys do nothing."""
        if key in ("j", "n"):
            self._go(1)
        elif key in ("k", "p"):
            self._go(-1)
        elif key == "a":
            self._mark([self.current], "accept")
            self._go(1)
        elif key == "x":
            self._mark([self.current], "bug")
            self._go(1)
        elif key == "g":
            group = self.current.group
            alike = [each for each in self.differences if group and each.group == group]
            self._mark(alike or [self.current], "accept")
        elif key == "u" and self._history:
            for difference, mark in self._history.pop():
                difference.mark = mark
        elif key == "l":
            self.by_lines = not self.by_lines

    def _go(self, steps: int) -> None:
        self.place = max(0, min(len(self.differences) - 1, self.place + steps))

    def _mark(self, differences: list[Difference], mark: str) -> None:
        self._history.append([(each, each.mark) for each in differences])
        for each in differences:
            each.mark = mark

    def show(self) -> None:
        """Print the current difference and how far the review is."""
        output, entry = self.session.output, self.current.entry
        decided = len(self.accepted) + len(self.bugs)
        output.line()
        mark = f", {self.current.mark}" if self.current.mark else ""
        place = f"{self.place + 1} of {len(self.differences)}{mark}; {decided} decided"
        output.line(output.paint(place, "bold"))
        sample = entry.get("sample_name") or f"sample {entry.get('sample_id')}"
        command = f", {entry['command']}" if entry.get("command") else ""
        output.line(output.safe(f"Test {entry['regression_id']}{command} on {sample}"))
        if self.by_lines or not entry.get("captions"):
            result = {"run_id": entry["run_id"], "sample_id": entry["sample_id"],
                      "regression_id": entry["regression_id"]}  # fmt: skip
            told = {
                "output_id": entry["output_id"],
                "filename": entry["filename"],
                "status": "different",
            }
            shown = diffs.difference(self.session, result, told)
            diffs.print_difference(output, shown, by_lines=True)
        else:
            diffs.print_difference(output, entry)
        alike = sum(each.group == self.current.group for each in self.differences)
        if self.current.group and alike > 1:
            output.line(output.paint(f"  {alike} changed alike: g accepts them all", "dim"))


def review(session: Session) -> int:
    """Go through the differences; 1 when some are bugs or undecided."""
    path = f"/runs/{session.options.run}/diffs"
    entries = [entry for entry in items(session.transport, path) if entry.get("actual_hash")]
    output = session.output
    if output.as_json:
        output.json(entries)
        return 1 if entries else 0
    if not entries:
        output.line(f"Run {session.options.run} has no output that differs.")
        return 0
    queue = Review(session, [Difference(entry) for entry in entries])
    with keys() as next_key:
        sent = _go_through(queue, next_key)
    for bug in queue.bugs:
        entry = bug.entry
        message = (entry.get("captions") or {}).get("message", "")
        output.line(
            output.safe(f"Bug: test {entry['regression_id']}, {entry['filename']}. {message}")
        )
    return 0 if sent == len(entries) else 1


def _go_through(queue: Review, next_key: Callable[[str], str]) -> int:
    """Show and obey keys until it is sent or left; how many outputs were accepted and sent."""
    queue.show()
    while True:
        key = next_key("[j k a x g u l s q ?] ")
        if key in ("q", ""):
            return 0
        if key == "?":
            queue.session.output.line(HELP)
        elif key == "s":
            if (sent := _send(queue)) is not None:
                return sent
        else:
            queue.press(key)
            queue.show()


def _send(queue: Review) -> int | None:
    """Ask for what was accepted; how many outputs, or None where it was not sent."""
    session, output = queue.session, queue.session.output
    if not queue.accepted:
        output.line("Nothing is accepted yet.")
        return None
    reason = session.options.reason or _typed("Reason: ")
    if len(reason) < SHORTEST_REASON:
        output.line(f"A reason has at least {SHORTEST_REASON} characters.")
        return None
    outputs = [
        {
            "sample_id": each.entry["sample_id"],
            "regression_id": each.entry["regression_id"],
            "output_id": each.entry["output_id"],
            "reason": reason,
        }
        for each in queue.accepted
    ]
    try:
        approvals = baselines.request(
            session, session.options.run, outputs, decide=session.options.decide
        )
    except (failures.Conflict, failures.Refused) as failure:
        output.failure(failure)
        return None
    baselines.print_approvals(session, approvals)
    return len(approvals)


def _typed(prompt: str) -> str:
    """A line that is typed."""
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


@contextmanager
def keys() -> Iterator[Callable[[str], str]]:
    """Give a function that waits for the next key: on a terminal at once, else each character
    of the input is one.

    The terminal is as before whenever a line is typed and in the end.
    """

    def from_input(prompt: str) -> str:
        key = sys.stdin.read(1)
        while key == "\n":
            key = sys.stdin.read(1)
        return key

    if not sys.stdin.isatty():
        yield from_input
        return
    import termios
    import tty

    def from_terminal(prompt: str) -> str:
        before = termios.tcgetattr(sys.stdin)
        print(prompt, end="", file=sys.stderr, flush=True)
        try:
            tty.setcbreak(sys.stdin)
            key = sys.stdin.read(1)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        print(file=sys.stderr)
        return "q" if key == "\x04" else key

    yield from_terminal
