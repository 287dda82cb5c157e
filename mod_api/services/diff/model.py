"""What a comparison of two files says: frozen values, independent of how they were found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from mod_api.services.diff.libgit2 import RawComparison, RawHunk, RawSide
from mod_regression.changes import GaveUp


class LineKind(StrEnum):
    """Whether a line of a hunk is in both files, only in the actual or only in the expected."""

    CONTEXT = "context"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a hunk, without its newline but with a carriage return before it.

    Line numbers count from 1 and are None where that file has no such line.
    `final_newline` is false on a file's last line when nothing ends it.
    """

    kind: LineKind
    expected_line: int | None
    actual_line: int | None
    text: str
    final_newline: bool


@dataclass(frozen=True, slots=True)
class Hunk:
    """A run of changed lines with its context.

    One that is too long is split into several, each with lines of both files. As in every unified
    diff, an empty side starts at the line before it, 0 at a file's beginning.
    """

    expected_start: int
    expected_lines: int
    actual_start: int
    actual_lines: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two files is like.

    `encoding`: utf-8, utf-8-bom, utf-16-le, utf-16-be, latin-1 (Windows' additions included) or
    binary.
    `valid_utf8` is false for latin-1, and for utf-8 with damaged characters.
    `line_endings`: lf, crlf, cr, crcrlf, mixed, none.
    """

    size_bytes: int
    encoding: str
    valid_utf8: bool
    line_endings: str
    final_newline: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two files differ.

    Counts are exact, also where hunks are cut; they are None, and there are no hunks, for
    binary files and for a comparison that was not made (`gave_up_because` says why, and
    `expected` and `actual` are None then).
    `truncated`: hunks, lines or long lines are left out of `hunks`; `unified_truncated`: the
    unified text ends early, at the end of a line.
    """

    identical: bool
    expected: Side | None = None
    actual: Side | None = None
    added_lines: int | None = None
    removed_lines: int | None = None
    changed_hunks: int | None = None
    hunks: tuple[Hunk, ...] = ()
    truncated: bool = False
    unified: str = ""
    unified_truncated: bool = False
    gave_up_because: GaveUp | None = None

    @classmethod
    def from_raw(cls, raw: RawComparison) -> Self:
        """The comparison that libgit2.py made, here or in a process of its own."""
        return cls(
            identical=raw["identical"],
            expected=_side(raw["expected"]),
            actual=_side(raw["actual"]),
            added_lines=raw["added_lines"],
            removed_lines=raw["removed_lines"],
            changed_hunks=raw["changed_hunks"],
            hunks=tuple(_hunk(hunk) for hunk in raw["hunks"]),
            truncated=raw["truncated"],
            unified=raw["unified"],
            unified_truncated=raw["unified_truncated"],
        )

    @property
    def gave_up(self) -> bool:
        """Return whether the comparison was not made."""
        return self.gave_up_because is not None

    @property
    def binary(self) -> bool:
        """Return whether either file is no text."""
        return any(side.encoding == "binary" for side in self._sides)

    @property
    def invalid_utf8(self) -> bool:
        """Return whether either file is text with bytes that are no UTF-8: Latin-1, or damaged."""
        return not self.binary and not all(side.valid_utf8 for side in self._sides)

    @property
    def encodings_differ(self) -> bool:
        """Return whether the files are in different encodings, a byte order mark included."""
        return len({side.encoding for side in self._sides}) > 1

    @property
    def line_endings_differ(self) -> bool:
        """Return whether the files end their lines in different ways."""
        return len({side.line_endings for side in self._sides} - {"none"}) > 1

    @property
    def missing_final_newline(self) -> tuple[str, ...]:
        """Which of `expected` and `actual` have text whose last line is not ended."""
        named = (("expected", self.expected), ("actual", self.actual))
        return tuple(
            name
            for name, side in named
            if side is not None
            and side.size_bytes > 0
            and side.encoding != "binary"
            and not side.final_newline
        )

    @property
    def _sides(self) -> tuple[Side, ...]:
        return tuple(side for side in (self.expected, self.actual) if side is not None)


def _side(raw: RawSide) -> Side:
    return Side(**raw)


def _hunk(raw: RawHunk) -> Hunk:
    return Hunk(
        expected_start=raw["expected_start"],
        expected_lines=raw["expected_lines"],
        actual_start=raw["actual_start"],
        actual_lines=raw["actual_lines"],
        lines=tuple(
            Line(
                kind=LineKind(line["kind"]),
                expected_line=line["expected_line"],
                actual_line=line["actual_line"],
                text=line["text"],
                final_newline=line["final_newline"],
            )
            for line in raw["lines"]
        ),
    )
