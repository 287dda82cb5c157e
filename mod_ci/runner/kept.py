"""What an attempt keeps of its tests beside their results: all that they printed, a core dump."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

from mod_ci.runner.files import open_regular
from mod_ci.runner.limits import MIB
from mod_ci.runner.text import redact

MOST_PRINTED = 64 * MIB
CUT = b"[the rest is not kept]\n"
# As Linux names a core dump by default, with the process's number where that is asked for.
CORE = re.compile(r"core(\.[0-9]+)?")
LONGEST_LINE = 64 * 1024


class Kept:
    """Files of an attempt in a folder of theirs; any thread may add to them.

    `combined` has the output of one test after the other, `core` the first core dump.
    """

    def __init__(self, folder: Path, most_printed: int = MOST_PRINTED) -> None:
        folder.mkdir()
        self.combined = folder / "combined_stdout.log"
        self.core = folder / "coredump"
        self.left = most_printed
        self.lock = threading.Lock()

    def add_output(self, regression_id: int, command: str, printed: Path) -> None:
        """Add what a test printed, without credentials, as far as there is room for it."""
        head = f"=== regression test {regression_id}: {command}\n"
        with self.lock, self.combined.open("ab") as out:
            for line in (head.encode(), *_lines(printed)):
                if self.left <= 0:
                    return
                self.left -= len(line)
                out.write(line if self.left > 0 else CUT)

    def take_core(self, folder: Path) -> bool:
        """Take the core dump that a test has left in its folder; whether it is the one that is
        kept."""
        for dump in core_dumps(folder):
            with self.lock:
                if not self.core.exists():
                    dump.rename(self.core)
                    return True
        return False


def core_dumps(folder: Path) -> list[Path]:
    """The core dumps in a folder, which nobody writes to any more."""
    found = []
    for path in sorted(folder.iterdir()):
        if CORE.fullmatch(path.name):
            file = open_regular(path)
            if file is not None:
                file.close()
                found.append(path)
    return found


def _lines(printed: Path) -> Iterator[bytes]:
    with printed.open("rb") as file:
        while line := file.readline(LONGEST_LINE):
            text = redact(line.decode("utf-8", "surrogateescape"))
            yield text.encode("utf-8", "surrogateescape")
    yield b"\n"
