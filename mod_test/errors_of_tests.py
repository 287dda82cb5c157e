"""One test error: what kind it is, how bad, and what it says."""

import enum
from dataclasses import dataclass
from datetime import datetime

from mod_test.models import Outcome
from mod_test.result_rows import ResultRow
from mod_test.tracebacks import without_stack
from mod_test.verdict import crashed_on_windows

# The statuses that Windows gives to crashes again and again.
CRASHES = {
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    0xC0000094: "division by zero",
    0xC00000FD: "stack overflow",
    0xC0000135: "a library was not found",
    0xC000013A: "interrupted",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun",
}
NO_OUTPUT = -1  # sorts before every output


class ErrorType(enum.StrEnum):
    """What is wrong with a test."""

    test_failure = "test_failure"
    exit_code_mismatch = "exit_code_mismatch"
    missing_output = "missing_output"
    diff_mismatch = "diff_mismatch"

    @property
    def is_of_exit(self) -> bool:
        """Return whether it is about how the process ended, not about an output."""
        return self in (ErrorType.test_failure, ErrorType.exit_code_mismatch)

    @property
    def severity(self) -> "Severity":
        return Severity.critical if self is ErrorType.test_failure else Severity.error


class Severity(enum.StrEnum):
    """How bad an error is, the harmless first."""

    info = "info"
    warning = "warning"
    error = "error"
    critical = "critical"


@dataclass(slots=True)
class TestError:
    """One entry of a run's error list. Hashes are as the tables have them."""

    run_id: int
    regression_id: int
    sample_id: int | None
    output_id: int | None
    type: ErrorType
    occurred_at: datetime
    exit_code: int | None
    expected_exit_code: int
    outcome: Outcome | None
    signal: str | None
    told: str | None
    category: str | None
    command: str
    sample_name: str | None
    filename: str | None = None
    extension: str | None = None
    correct: str | None = None
    expected_at_run: str | None = None
    actual: str | None = None

    __test__ = False  # not a test class, whatever its name

    @property
    def place(self) -> tuple[int, int, int]:
        """What the errors of a run are sorted by."""
        if self.type.is_of_exit:
            return self.regression_id, 0, 0
        return self.regression_id, 1, self.output_id or NO_OUTPUT

    @property
    def error_id(self) -> str:
        """The same for the same error, whenever it is asked for."""
        test = f"{self.run_id}-{self.regression_id}"
        if self.type.is_of_exit:
            return f"{test}-exit"
        return f"{test}-out-{self.output_id}" if self.output_id else f"{test}-out"

    @property
    def severity(self) -> Severity:
        return self.type.severity

    @property
    def message(self) -> str:
        """What went wrong, in a sentence."""
        if self.type is ErrorType.exit_code_mismatch:
            return sentence(self.told) if self.told else how_it_exited(self)
        if self.type is ErrorType.test_failure:
            return sentence(self.told) if self.told else how_it_died(self)
        if self.output_id is None:
            return "The test produced no output."
        name = f"Output {self.output_id} ({self.filename})"
        if self.type is ErrorType.missing_output:
            return f"{name} is missing."
        return f"{name} differs from its baseline."


def sentence(text: str) -> str:
    """A message without its stack and with a full stop."""
    text = without_stack(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def how_it_died(test: "TestError | ResultRow") -> str:
    """How a killed test ended, where nobody has said it."""
    if test.outcome is Outcome.signal:
        return f"The test was ended by {test.signal or 'a signal'}."
    if test.outcome is not None and test.outcome.was_killed:
        return f"The test was stopped at its {test.outcome.value.replace('_', ' ')}."
    if crashed_on_windows(test.exit_code):
        return f"The test crashed with {crash(test.exit_code or 0)}."
    return f"The test was ended with {test.exit_code}."


def crash(exit_code: int) -> str:
    """The status of a crash as Windows writes it, with its meaning where that is known."""
    status = exit_code & 0xFFFFFFFF
    meaning = CRASHES.get(status)
    return f"0x{status:08X} ({meaning})" if meaning else f"0x{status:08X}"


def how_it_exited(test: "TestError | ResultRow") -> str:
    """The wrong exit code of a test that ended by itself."""
    code = "No exit code" if test.exit_code is None else f"Exit code {test.exit_code}"
    return f"{code}, expected {test.expected_exit_code}."
