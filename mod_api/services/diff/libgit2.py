"""Compares two byte strings with libgit2 and bounds what comes out of it.

Also a program: `python -I libgit2.py EXPECTED_FD ACTUAL_FD CONTEXT_LINES` reads two open
file descriptors and prints the result as JSON. It is started by its path and imports
nothing of this project that loads the web application.
"""

import itertools
import json
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

if __name__ == "__main__":
    # -I leaves the project out of where modules are looked for.
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from mod_regression.decoding import Written, written_pair

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
# How much of what is alike is shown before the first difference of two long lines, in bytes.
_BEFORE_DIFFERENCE = 200


class RawSide(TypedDict):
    """What one of the two files is like; `line_endings` is lf, crlf, cr, crcrlf, mixed or
    none."""

    size_bytes: int
    encoding: str
    valid_utf8: bool
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
    """One hunk, numbered as unified diffs number: 0 or the line before for an empty side.

    A hunk that is too long is split into several, each with lines of both files.
    """

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

    Files in UTF-16 and Latin-1 are compared as their text. Where either file is binary, counts are
    null and there are no hunks.
    Raises MemoryError when there is not enough memory for it.
    """
    before, after = written_pair(expected, actual)
    result = RawComparison(
        identical=expected == actual,
        expected=describe(expected, before),
        actual=describe(actual, after),
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
    expected_text, actual_text = before.utf8, after.utf8
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


def describe(content: bytes, written: Written) -> RawSide:
    """Say what a file is like: its size, encoding, line ends and whether its last line ends.

    `encoding` is as mod_regression/decoding.py names it, or binary where the text has a NUL.
    """
    return RawSide(
        size_bytes=len(content),
        encoding="binary" if b"\0" in written.utf8 else written.encoding,
        valid_utf8=written.valid_utf8,
        line_endings=written.line_endings,
        final_newline=written.utf8.endswith((b"\n", b"\r")),
    )


@dataclass
class _Text:
    """One line of a hunk, and the marker of a missing final newline that may follow it."""

    kind: str
    line: Any
    marker: Any = None


@dataclass
class _Piece:
    """A hunk, or a part of one that is too long: where it starts in both files, and its lines."""

    expected_start: int
    actual_start: int
    texts: list[_Text]

    @property
    def expected_lines(self) -> int:
        return sum(text.kind != "added" for text in self.texts)

    @property
    def actual_lines(self) -> int:
        return sum(text.kind != "removed" for text in self.texts)


def _fill(result: RawComparison, hunks: list[Any]) -> None:
    """Write hunks and the unified text into `result`, stopping where both are full."""
    unified = ["--- expected\n", "+++ actual\n"]
    unified_left = MAX_UNIFIED_BYTES - sum(map(len, unified))
    lines_left, characters_left = MAX_LINES, MAX_CHARACTERS
    is_full = False
    for hunk in hunks:
        texts = _texts(hunk.lines)
        pieces = _pieces(hunk, texts)
        for piece in pieces:
            if is_full:
                break
            lines, cut = _raw_lines(piece.texts)
            lines_left -= len(lines)
            characters_left -= sum(len(line["text"]) for line in lines)
            # A piece is there as a whole or not at all: its lines are of both files.
            is_full = len(result["hunks"]) == MAX_HUNKS or min(lines_left, characters_left) < 0
            result["truncated"] |= cut or is_full
            if not is_full:
                result["hunks"].append(_raw_hunk(piece, lines))
        if unified_left >= 0:
            whole = _Piece(pieces[0].expected_start, pieces[0].actual_start, texts)
            fits = sum(len(text.line.raw_content) + 1 for text in texts) < unified_left
            for piece in [whole] if fits else pieces:
                written, unified_left = _unified(piece, unified_left)
                unified += written
                if unified_left < 0:
                    break
        if is_full and unified_left < 0:
            break
    result["unified_truncated"] = unified_left < 0
    result["unified"] = "".join(unified)


def _texts(lines: list[Any]) -> list[_Text]:
    texts: list[_Text] = []
    for line in lines:
        kind = _KINDS.get(line.origin)
        if kind is None:  # the marker of a missing final newline
            texts[-1].marker = line
        else:
            texts.append(_Text(kind, line))
    return texts


def _pieces(hunk: Any, texts: list[_Text]) -> list[_Piece]:
    """A hunk in pieces of at most MAX_LINES_PER_HUNK lines, each with lines of both files.

    A change of 3,000 lines into 3,000 others comes as 250 and 250 at a time: one after the other,
    the removed lines alone would fill what can be shown.
    """
    # The number of the next line of each file; an empty side starts at the line before it.
    expected = hunk.old_start + (hunk.old_lines == 0)
    actual = hunk.new_start + (hunk.new_lines == 0)
    pieces = []
    for part in _parts(texts):
        piece = _Piece(expected, actual, part)
        expected += piece.expected_lines
        actual += piece.actual_lines
        piece.expected_start -= piece.expected_lines == 0
        piece.actual_start -= piece.actual_lines == 0
        pieces.append(piece)
    return pieces


def _parts(texts: list[_Text]) -> Iterator[list[_Text]]:
    if len(texts) <= MAX_LINES_PER_HUNK:
        yield texts
        return
    part: list[_Text] = []
    for is_context, group in itertools.groupby(texts, lambda text: text.kind == "context"):
        block = list(group)
        removed = [text for text in block if text.kind == "removed"]
        added = block if is_context else [text for text in block if text.kind == "added"]
        while removed or added:
            room = MAX_LINES_PER_HUNK - len(part)
            of_removed = min(len(removed), max(room // 2, room - len(added)))
            of_added = min(len(added), room - of_removed)
            part += removed[:of_removed] + added[:of_added]
            removed, added = removed[of_removed:], added[of_added:]
            if len(part) == MAX_LINES_PER_HUNK:
                yield part
                part = []
    if part:
        yield part


def _raw_hunk(piece: _Piece, lines: list[RawLine]) -> RawHunk:
    return RawHunk(
        expected_start=piece.expected_start,
        expected_lines=piece.expected_lines,
        actual_start=piece.actual_start,
        actual_lines=piece.actual_lines,
        lines=lines,
    )


def _raw_lines(texts: list[_Text]) -> tuple[list[RawLine], bool]:
    """The lines of a piece as they are shown, and whether any of them is cut."""
    starts = _starts(texts)
    lines: list[RawLine] = []
    is_cut = False
    for place, text in enumerate(texts):
        raw = text.line.raw_content
        shown, cut = _shown(raw, starts.get(place, 0))
        is_cut |= cut
        lines.append(
            RawLine(
                kind=text.kind,
                expected_line=text.line.old_lineno if text.line.old_lineno > 0 else None,
                actual_line=text.line.new_lineno if text.line.new_lineno > 0 else None,
                text=shown,
                final_newline=raw.endswith(b"\n"),
            )
        )
    return lines, is_cut


def _starts(texts: list[_Text]) -> dict[int, int]:
    """Where to begin with lines whose difference from their counterpart would be cut off, in bytes.

    The first removed line of a change is held against the first added one, and so on.
    """
    starts: dict[int, int] = {}
    places = enumerate(texts)
    for is_context, group in itertools.groupby(places, lambda place: place[1].kind == "context"):
        if is_context:
            continue
        block = list(group)
        removed = [each for each in block if each[1].kind == "removed"]
        added = [each for each in block if each[1].kind == "added"]
        for (old, before), (new, after) in zip(removed, added, strict=False):
            one, other = before.line.raw_content, after.line.raw_content
            if max(len(one), len(other)) > MAX_CHARACTERS_PER_LINE:
                alike = _alike(one, other)
                if alike > MAX_CHARACTERS_PER_LINE - _BEFORE_DIFFERENCE:
                    starts[old] = starts[new] = alike - _BEFORE_DIFFERENCE
    return starts


def _alike(one: bytes, other: bytes) -> int:
    """Return how many bytes two lines have in common at their start."""
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        if one[least:middle] == other[least:middle]:
            least = middle
        else:
            most = middle - 1
    return least


def _shown(raw: bytes, start: int) -> tuple[str, bool]:
    """A line's text from a byte on, without its newline, and whether it had to be cut.

    A carriage return stays: without it, lines that differ only in it would look the same.
    """
    raw = raw.removesuffix(b"\n")
    while 0 < start < len(raw) and raw[start] & 0xC0 == 0x80:  # inside a character
        start -= 1
    # No character of UTF-8 is longer than four bytes: more than these cannot be shown.
    end = start + 4 * (MAX_CHARACTERS_PER_LINE + 1)
    text = (_ELLIPSIS if start else "") + raw[start:end].decode("utf-8", "replace")
    if len(text) <= MAX_CHARACTERS_PER_LINE:
        return text, start > 0
    return text[: MAX_CHARACTERS_PER_LINE - 1] + _ELLIPSIS, True


def _unified(piece: _Piece, left: int) -> tuple[list[str], int]:
    """A piece as unified text, whole lines only, and the bytes left (negative: it was cut)."""
    header = (
        f"@@ -{piece.expected_start},{piece.expected_lines} "
        f"+{piece.actual_start},{piece.actual_lines} @@\n"
    )
    written = [header]
    left -= len(header)
    for text in piece.texts:
        raw = text.line.raw_content
        left -= len(raw) + 1
        if left < 0:
            break
        written.append(text.line.origin + raw.decode("utf-8", "replace"))
        if text.marker is not None:
            # The marker's content begins with the newline that the line before it lacks.
            written.append(text.marker.raw_content.decode("ascii"))
            left -= len(text.marker.raw_content)
    return written, left


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
