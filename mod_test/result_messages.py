"""What came of a result, in a sentence for people."""

from collections.abc import Sequence

from mod_test.errors_of_tests import how_it_died, how_it_exited, sentence
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
    parts = []
    if result.wrong_exit:
        parts.append(how_it_died(result) if result.was_killed else how_it_exited(result))
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


def _counted(number: int, one: str, more: str) -> str:
    return f"One output {one}." if number == 1 else f"{number} outputs {more}."
