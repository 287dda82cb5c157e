"""The counts of a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunCounts:
    """The counts of docs/semantics.md, "Counts".

    `errors` is the total of the run's error list.
    """

    passed: int = 0
    failed: int = 0
    missing_output: int = 0
    skipped: int = 0
    errors: int = 0

    @property
    def total(self) -> int:
        return self.passed + self.failed + self.missing_output + self.skipped
