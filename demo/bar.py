"""A bar that fills as a run goes on; plain lines where there is no terminal."""

import shutil
import sys

CELLS, LEAST_CELLS = 24, 8
LINES = 4  # of a plain run, beside those for what is new


class Bar:
    """The progress of one thing, named by `title`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.said: tuple[str, int] | None = None
        self.is_drawn = sys.stdout.isatty()

    def show(self, done: int, total: int, what: str) -> None:
        """Show how far it is: drawn over itself on a terminal, else a line for what is new."""
        said = (what, LINES * done // total if total else 0)
        if self.is_drawn:
            width = shutil.get_terminal_size().columns - 1
            count = f"{done}/{total}"
            # The words are what there is to read: the bar gives way to them.
            left = width - len(f"{self.title}  [] {count}  {what}")
            cells = max(LEAST_CELLS, min(CELLS, left))
            filled = cells * done // total if total else 0
            bar = "#" * filled + "-" * (cells - filled)
            line = f"{self.title}  [{bar}] {count}  {what}"
            sys.stdout.write(f"\r\x1b[K{line[:width]}")
            sys.stdout.flush()
        elif said != self.said:
            sys.stdout.write(f"{self.title}: {done} of {total} tests, {what}\n")
        self.said = said

    def end(self) -> None:
        """Leave the bar as it is and go on below it."""
        if self.is_drawn:
            sys.stdout.write("\n")
