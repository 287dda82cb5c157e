"""By which contents a compared output is shown: what came out, and what it is held against."""

from typing import Protocol

from mod_test.verdict import OutputStatus


class Output(Protocol):
    """An output as the tables have it, and how it reads.

    `correct` is its baseline today, `expected` that of the run's time; `got` is None where it
    matched or where there is none.
    """

    @property
    def status(self) -> OutputStatus: ...
    @property
    def correct(self) -> str | None: ...
    @property
    def expected(self) -> str | None: ...
    @property
    def got(self) -> str | None: ...


class Compared:
    """What follows for an output."""

    __slots__ = ()

    @property
    def actual_hash(self: Output) -> str | None:
        """What came out; None where it matched, or where there is nothing.

        An output that matched a baseline which was revoked since came out as that baseline, and is
        shown as such where it reads as a difference.
        """
        if self.got is None and self.status is OutputStatus.diff_mismatch:
            return self.expected or None
        return self.got or None

    @property
    def baseline_hash(self: Output) -> str | None:
        """What the output is held against: what it matched then, else its baseline of today."""
        if self.status is OutputStatus.match and self.got is None:
            return self.expected or None
        return self.correct or None
