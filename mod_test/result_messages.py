"""What came of a result, in a sentence for people."""

from collections.abc import Sequence

from mod_test.errors_of_tests import sentence
from mod_test.models import Outcome
from mod_test.result_rows import OutputRow, ResultRow
from mod_test.verdict import OutputStatus, ResultStatus

# What is said of a test without a result.
NO_RESULT = {
    ResultStatus.not_started: "Regression test {} has not run yet in this run.",
    ResultStatus.running: "Regression test {} is running.",
    ResultStatus.skipped: "Regression test {} was not run in this run.",
}


def result_message(result: ResultRow, outputs: Sequence[OutputRow]) -> str | None:
    """What the runner said of a result, else what is wrong with it; None where nothing is."""
    if result.told:
        return sentence(result.told)
    if not result.status.is_failure:
        return None
    parts = [_of_exit(result)] if result.wrong_exit else []
    compared = [output.status for output in outputs if not output.ignored]
    missing = compared.count(OutputStatus.missing_output)
    if missing:
        parts.append(_counted(missing, "is missing", "are missing"))
    elif result.status is ResultStatus.missing_output:
        parts.append("The test produced no output.")
    differing = compared.count(OutputStatus.diff_mismatch)
    if differing:
        parts.append(
            _counted(differing, "differs from its baseline", "differ from their baselines")
        )
    return " ".join(parts)


def _of_exit(result: ResultRow) -> str:
    if result.outcome is Outcome.signal:
        return f"The test was ended by {result.signal or 'a signal'}."
    if result.outcome is not None and result.outcome.was_killed:
        return f"The test was stopped at its {result.outcome.value.replace('_', ' ')}."
    code = "No exit code" if result.exit_code is None else f"Exit code {result.exit_code}"
    return f"{code}, expected {result.expected_exit_code}."


def _counted(number: int, one: str, more: str) -> str:
    return f"One output {one}." if number == 1 else f"{number} outputs {more}."
