"""Coverage in LCOV's lines."""

from typing import BinaryIO

from mod_ci.runner.reports.model import MOST_FILES, Coverage, Lines, Unreadable, count

LONGEST_LINE = 64 * 1024
MOST_LINES = 1_000_000


def read_lcov(file: BinaryIO) -> tuple[list[Coverage], bool]:
    """The sums of each file, and whether something was cut. Raises Unreadable."""
    files: dict[str, Lines] = {}
    current: Lines | None = None
    has_branches = is_cut = False
    records = 0
    while raw := file.readline(LONGEST_LINE):
        key, _, value = raw.decode("utf-8", "replace").strip().partition(":")
        if key == "SF":
            current = files.get(value)
            if current is None and len(files) < MOST_FILES:
                current = files[value] = Lines()
            is_cut = is_cut or current is None
        elif key == "end_of_record":
            current = None
        elif current is not None:
            records += 1
            if records > MOST_LINES:
                is_cut = True
                break
            has_branches = has_branches or key in ("BRDA", "BRF")
            _add(current, key, value)
    if not files:
        raise Unreadable("It names no source file.")
    return [lines.coverage(name, has_branches) for name, lines in files.items()], is_cut


def _add(lines: Lines, key: str, value: str) -> None:
    if key == "DA":
        number, _, rest = value.partition(",")
        lines.hit(count(number), count(rest.partition(",")[0]) > 0)
    elif key == "BRDA":  # the third field is a text of coverage.py's, perhaps with commas
        place, _, taken = value.rpartition(",")
        lines.branch(place, int(count(taken) > 0), 1)
    elif key in ("LF", "LH", "BRF", "BRH"):
        lines.totals[key] = count(value)
