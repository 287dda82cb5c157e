"""The test errors of a run: one per wrong exit code, differing and missing output.

What fails is looked up, or derived; why it fails is read off those few results by the rules of
`mod_test.verdict`. So their number is the `errors` of `mod_test.run_counts` always.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from database import fetch_values
from mod_regression import output_names
from mod_regression.definitions import Definition
from mod_test import failures
from mod_test.errors_of_tests import ErrorType, Severity, TestError
from mod_test.models import ResultRecord
from mod_test.result_rows import OutputRow
from mod_test.rollup.tables import FailingResult
from mod_test.run_results import RunResult, results_of
from mod_test.run_rows import RunRow
from mod_test.verdict import OutputStatus, ResultStatus

_DATED = ResultRecord.started_at, ResultRecord.recorded_at


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors of a run are meant; None filters nothing."""

    type: ErrorType | None = None
    severity: Severity | None = None
    sample_id: int | None = None
    regression_id: int | None = None

    def takes(self, error: TestError) -> bool:
        """Return whether an error is meant."""
        return (
            self.type in (None, error.type)
            and self.severity in (None, error.severity)
            and self.sample_id in (None, error.sample_id)
            and self.regression_id in (None, error.regression_id)
        )


def errors_of(run: RunRow, wanted: ErrorFilter) -> list[TestError]:
    """The errors of a run that are `wanted`, by test; a wrong exit code before outputs by id."""
    failing = _KEPT if run.set_id is not None else _DERIVED
    tests = sorted(fetch_values(failing, {"ids": [run.run_id]}))
    if wanted.regression_id is not None:
        tests = [test for test in tests if test == wanted.regression_id]
    results = results_of(run, tests, also=_DATED)
    errors = (error for result in results for error in _errors(run, result))
    return [error for error in errors if wanted.takes(error)]


def when_unknown(run: RunRow) -> datetime:
    """When an error happened that nobody dated."""
    return run.ended_at or run.created_at


# The tests whose results do not pass.
_KEPT = select(FailingResult.regression_test_id).where(
    FailingResult.test_id.in_(bindparam("ids", expanding=True)),
    FailingResult.status != ResultStatus.skipped.value,
)
_derived = failures.failing(failures.of_runs).subquery("failing")
_DERIVED = select(_derived.c.regression_test_id)


def _errors(run: RunRow, result: RunResult) -> Iterator[TestError]:
    if result.row.wrong_exit:
        killed = result.row.was_killed
        kind = ErrorType.test_failure if killed else ErrorType.exit_code_mismatch
        yield _error(run, result, kind)
    compared = [output for output in result.outputs if not output.ignored]
    missing = any(output.status is OutputStatus.missing_output for output in compared)
    if result.has_sentinel and not missing:
        yield _error(run, result, ErrorType.missing_output)
    for output in compared:
        if output.status is OutputStatus.missing_output:
            yield _error(run, result, ErrorType.missing_output, output)
        elif output.status is OutputStatus.diff_mismatch:
            yield _error(run, result, ErrorType.diff_mismatch, output)


def _error(
    run: RunRow, result: RunResult, kind: ErrorType, output: OutputRow | None = None
) -> TestError:
    row, read, test = result.row, result.read, result.definition
    dated = None if read is None else read.started_at or read.recorded_at
    return TestError(
        run_id=run.run_id,
        regression_id=row.regression_id,
        sample_id=test.sample_id,
        output_id=None if output is None else output.output_id,
        type=kind,
        occurred_at=dated or when_unknown(run),
        exit_code=row.exit_code,
        expected_exit_code=row.expected_exit_code,
        outcome=row.outcome,
        signal=row.signal,
        told=row.told,
        category=_category(test),
        command=test.command,
        sample_name=test.sample.name if test.sample else None,
        **({} if output is None else _of_output(output)),
    )


def _category(test: Definition) -> str | None:
    """The one with the lowest id."""
    return test.categories[0] if test.categories else None


def _of_output(output: OutputRow) -> dict[str, Any]:
    seen = output.expected if output.got is None else output.got
    return {
        "filename": output_names.name_of(output.expected_filename, output.extension),
        "extension": output.extension,
        "correct": output.correct or None,
        "expected_at_run": output.expected or None,
        "actual": seen or None,
    }
