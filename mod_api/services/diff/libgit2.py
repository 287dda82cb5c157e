"""Compares two byte strings with libgit2 and bounds what comes out of it.

Also a program: `python -I libgit2.py EXPECTED_FD ACTUAL_FD CONTEXT_LINES` reads two open
file descriptors and prints the result as JSON. It is started by its path and imports
nothing of this project, so that starting it does not load the web application.
"""

import json
import os
import resource
import sys
from typing import Any, TypedDict

MAX_HUNKS = 500
MAX_LINES_PER_HUNK = 500
MAX_CHARACTERS_PER_LINE = 1_000
# 500 hunks of 500 lines would take a web process seconds to write as JSON.
MAX_LINES = 50_000
MAX_CHARACTERS = 4 * 1024 * 1024
MAX_UNIFIED_BYTES = 1024 * 1024

EXIT_OUT_OF_MEMORY = 3

_CPU_SECONDS = 3
_MEMORY_BYTES = 1024 * 1024 * 1024
_KINDS = {" ": "context", "+": "added", "-": "removed"}
_ELLIPSIS = "…"


class RawSide(TypedDict):
    """What one of the two files is like; `line_endings` is lf, crlf, cr, mixed or none."""

    size_bytes: int
    encoding: str
    line_endings: str
    final_newline: bool


class RawLine(TypedDict):
    """One line of a hunk; line numbers count from 1, null where the file has no such line."""

    kind: str
    expected_line: int | None
    actual_line: int | None
    text: str
    final_newline: bool


class RawHunk(TypedDict):
    """One hunk, numbered as unified diffs number: 0 or the line before for an empty side."""

    expected_start: int
    expected_lines: int
    actual_start: int
    actual_lines: int
    lines: list[RawLine]


class RawComparison(TypedDict):
    """The comparison as it is written to standard output."""

    identical: bool
    expected: RawSide
    actual: RawSide
    added_lines: int | None
    removed_lines: int | None
    changed_hunks: int | None
    hunks: list[RawHunk]
    truncated: bool
    unified: str
    unified_truncated: bool


def compare(expected: bytes, actual: bytes, context_lines: int) -> RawComparison:
    """Compare two files line by line, with `context_lines` unchanged lines around each change.

    Files in UTF-16 with a byte order mark are compared as their text. Where either file is
    binary, counts are null and there are no hunks.
    Raises MemoryError when there is not enough memory for it.
    """
    result = RawComparison(
        identical=expected == actual,
        expected=describe(expected),
        actual=describe(actual),
        added_lines=0,
        removed_lines=0,
        changed_hunks=0,
        hunks=[],
        truncated=False,
        unified="",
        unified_truncated=False,
    )
    if result["identical"]:
        return result
    if "binary" in (result["expected"]["encoding"], result["actual"]["encoding"]):
        result["added_lines"] = result["removed_lines"] = result["changed_hunks"] = None
        return result
    import pygit2  # a server that is idle does not hold it

    # A patch points into both texts without keeping them alive: these names do.
    expected_text = _as_utf8(expected, result["expected"]["encoding"])
    actual_text = _as_utf8(actual, result["actual"]["encoding"])
    patch = pygit2.Patch.create_from(
        expected_text,
        actual_text,
        # What is binary has been decided above, on the whole file and not on its start.
        flag=pygit2.enums.DiffOption.FORCE_TEXT,
        context_lines=context_lines,
        interhunk_lines=0,
    )
    _, result["added_lines"], result["removed_lines"] = patch.line_stats
    hunks = patch.hunks
    result["changed_hunks"] = len(hunks)
    if hunks:
        _fill(result, hunks)
    return result


def describe(content: bytes) -> RawSide:
    """Say what a file's bytes are: their encoding, line endings and whether the last line ends.

    `encoding` is utf-8, utf-8-bom, utf-16-le, utf-16-be, binary (a NUL byte, and no UTF-16
    with a byte order mark) or unknown (no valid UTF-8).
    """
    encoding = _encoding(content)
    text = _as_utf8(content, encoding)
    both = text.count(b"\r\n")
    found = [
        name
        for name, count in (
            ("crlf", both),
            ("lf", text.count(b"\n") - both),
            ("cr", text.count(b"\r") - both),
        )
        if count
    ]
    return RawSide(
        size_bytes=len(content),
        encoding=encoding,
        line_endings=found[0] if len(found) == 1 else "mixed" if found else "none",
        final_newline=text.endswith((b"\n", b"\r")),
    )


def _encoding(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) and len(content) % 2 == 0:
        name = "utf-16-le" if content[0] == 0xFF else "utf-16-be"
        if _decodes(content, name):
            return name
    if b"\0" in content:
        return "binary"
    if not _decodes(content, "utf-8"):
        return "unknown"
    return "utf-8-bom" if content.startswith(b"\xef\xbb\xbf") else "utf-8"


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return encoding == "utf-8" or "\0" not in text


def _as_utf8(content: bytes, encoding: str) -> bytes:
    if not encoding.startswith("utf-16"):
        return content
    return content[2:].decode(encoding).encode()


def _fill(result: RawComparison, hunks: list[Any]) -> None:
    """Write hunks and the unified text into `result`, stopping where both are full."""
    unified = ["--- expected\n", "+++ actual\n"]
    unified_left = MAX_UNIFIED_BYTES - sum(map(len, unified))
    lines_left, characters_left = MAX_LINES, MAX_CHARACTERS
    for number, hunk in enumerate(hunks):
        lines = hunk.lines
        if number < MAX_HUNKS and lines_left > 0 and characters_left > 0:
            kept, cut = _bounded(lines, min(lines_left, MAX_LINES_PER_HUNK), characters_left)
            result["hunks"].append(_raw_hunk(hunk, kept))
            result["truncated"] |= cut
            lines_left -= len(kept)
            characters_left -= sum(len(line["text"]) for line in kept)
        else:
            result["truncated"] = True
        if not result["unified_truncated"]:
            pieces, unified_left = _unified(hunk, lines, unified_left)
            unified += pieces
            result["unified_truncated"] = unified_left < 0
        if result["truncated"] and result["unified_truncated"] and number >= MAX_HUNKS:
            break
    result["unified"] = "".join(unified)


def _raw_hunk(hunk: Any, lines: list[RawLine]) -> RawHunk:
    return RawHunk(
        expected_start=hunk.old_start,
        expected_lines=hunk.old_lines,
        actual_start=hunk.new_start,
        actual_lines=hunk.new_lines,
        lines=lines,
    )


def _bounded(lines: list[Any], most: int, characters: int) -> tuple[list[RawLine], bool]:
    """The first lines of a hunk, at most `most` and `characters`, and whether any was cut."""
    kept: list[RawLine] = []
    cut = False
    for line in lines:
        kind = _KINDS.get(line.origin)
        if kind is None:  # the marker of a missing final newline: the line before says so
            continue
        if len(kept) == most or characters <= 0:
            return kept, True
        raw = line.raw_content
        text, shortened = _shown(raw)
        cut |= shortened
        characters -= len(text)
        kept.append(
            RawLine(
                kind=kind,
                expected_line=line.old_lineno if line.old_lineno > 0 else None,
                actual_line=line.new_lineno if line.new_lineno > 0 else None,
                text=text,
                final_newline=raw.endswith(b"\n"),
            )
        )
    return kept, cut


def _shown(raw: bytes) -> tuple[str, bool]:
    """A line's text without its newline, and whether it had to be cut.

    A carriage return stays: without it, lines that differ only in it would look the same.
    """
    raw = raw.removesuffix(b"\n")
    # No character of UTF-8 is longer than four bytes: more than these cannot be shown.
    text = raw[: 4 * (MAX_CHARACTERS_PER_LINE + 1)].decode("utf-8", "replace")
    if len(text) <= MAX_CHARACTERS_PER_LINE:
        return text, False
    return text[: MAX_CHARACTERS_PER_LINE - 1] + _ELLIPSIS, True


def _unified(hunk: Any, lines: list[Any], left: int) -> tuple[list[str], int]:
    """A hunk as unified text, whole lines only, and the bytes left (negative: it was cut)."""
    header = f"@@ -{hunk.old_start},{hunk.old_lines} +{hunk.new_start},{hunk.new_lines} @@\n"
    pieces = [header]
    left -= len(header)
    for line in lines:
        raw = line.raw_content
        left -= len(raw) + 1
        if left < 0:
            break
        # The marker's content begins with the newline that the line before it lacks.
        prefix = line.origin if line.origin in _KINDS else ""
        pieces.append(prefix + raw.decode("utf-8", "replace"))
    return pieces, left


def _read(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def main(arguments: list[str]) -> int:
    """Compare what two file descriptors hold; 0, or EXIT_OUT_OF_MEMORY."""
    import pygit2

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    expected, actual, context_lines = map(int, arguments)
    try:
        answer = json.dumps(compare(_read(expected), _read(actual), context_lines))
    except (MemoryError, pygit2.GitError):
        # Two buffers in memory give libgit2 nothing to fail on but memory.
        return EXIT_OUT_OF_MEMORY
    sys.stdout.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
