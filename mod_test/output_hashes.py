"""The contents by which an output is shown: the actual one and its baseline."""

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
    """The two hashes, as properties of an output."""

    __slots__ = ()

    @property
    def actual_hash(self: Output) -> str | None:
        """The hash of the actual output; None for a match or a missing output.

        A result that matched a since revoked baseline reads as a difference, and its actual output
        is that baseline.
        """
        if self.got is None and self.status is OutputStatus.diff_mismatch:
            return self.expected or None
        return self.got or None

    @property
    def baseline_hash(self: Output) -> str | None:
        """The hash of the baseline that the output matched, else of the current one."""
        if self.status is OutputStatus.match and self.got is None:
            return self.expected or None
        return self.correct or None
