"""The test errors of a run as rows: one per wrong exit code, differing and missing output.

Which they are is decided by `mod_test.verdict`; here they are listed, filtered and counted in the
database, so that their number is the `errors` of `mod_test.standings` always.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from database import db
from mod_regression.classifications import is_of
from mod_regression.models import DiffClassification, RegressionTest, RegressionTestOutput
from mod_test import verdict
from mod_test.errors_of_tests import ErrorType, Severity, TestError
from mod_test.models import Outcome, Result, ResultFile, ResultRecord
from mod_test.run_rows import RunRow

EXIT, OUTPUT = 0, 1  # the order of a test's entries
NO_OUTPUT = 0


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors of a run are meant; None filters nothing.

    `caption_change` is a kind of change in captions, as it was classified by `caption_rules`.
    """

    type: ErrorType | None = None
    severity: Severity | None = None
    sample_id: int | None = None
    regression_id: int | None = None
    caption_change: str | None = None
    caption_rules: int = 0

    def conditions(self, entries: Any, run_id: int) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.type is not None:
            found.append(entries.c.type == self.type.value)
        if self.severity is not None:
            types = [kind.value for kind in ErrorType if kind.severity is self.severity]
            found.append(entries.c.type.in_(types))
        if self.sample_id is not None:
            found.append(RegressionTest.sample_id == self.sample_id)
        if self.regression_id is not None:
            found.append(entries.c.regression_id == self.regression_id)
        if self.caption_change is not None:
            found.append(self._is_classified(entries, run_id))
        return found

    def _is_classified(self, entries: Any, run_id: int) -> ColumnElement[bool]:
        """Whether an entry is a differing output whose captions changed as is asked for."""
        file, output = aliased(ResultFile), aliased(RegressionTestOutput)
        came_out = func.coalesce(file.got, file.expected)
        of_entry = (
            select(DiffClassification.kind)
            .select_from(file)
            .join(output, output.id == file.regression_test_output_id)
            .join(
                DiffClassification,
                is_of(output.correct, came_out, output.correct_extension, self.caption_rules),
            )
            .where(
                file.test_id == run_id,
                file.regression_test_id == entries.c.regression_id,
                output.id == entries.c.output_id,
                DiffClassification.kind == self.caption_change,
            )
        )
        return and_(entries.c.type == ErrorType.diff_mismatch.value, of_entry.exists())


def select_entries(run: RunRow, wanted: ErrorFilter) -> tuple[Select[Any], Sequence[Any]]:
    """The statement of a run's errors that are `wanted`, which `as_error` reads, and the columns
    of their order, which is total."""
    entries = entries_of(run.run_id).subquery("entries")
    statement = (
        select(
            entries.c.regression_id,
            entries.c.output_id,
            entries.c.type,
            RegressionTest.sample_id,
            occurred_at().label("occurred_at"),
            Result.exit_code,
            verdict.expected_rc().label("expected_exit_code"),
            ResultRecord.outcome,
            ResultRecord.signal,
            ResultRecord.message.label("told"),
            RegressionTestOutput.expected_filename,
            RegressionTestOutput.correct_extension,
            RegressionTestOutput.correct,
            ResultFile.expected.label("expected_at_run"),
            func.coalesce(ResultFile.got, ResultFile.expected).label("actual"),
        )
        .select_from(entries)
        .join(
            Result,
            and_(
                Result.test_id == run.run_id,
                Result.regression_test_id == entries.c.regression_id,
            ),
        )
        .join(RegressionTest, RegressionTest.id == entries.c.regression_id)
        .outerjoin(ResultRecord, is_record_of(run.run_id, entries.c.regression_id))
        .outerjoin(
            RegressionTestOutput,
            and_(RegressionTestOutput.id == entries.c.output_id, entries.c.output_id > 0),
        )
        .outerjoin(
            ResultFile,
            and_(
                ResultFile.test_id == run.run_id,
                ResultFile.regression_test_id == entries.c.regression_id,
                ResultFile.regression_test_output_id == RegressionTestOutput.id,
            ),
        )
        .where(*wanted.conditions(entries, run.run_id))
    )
    return statement, (entries.c.regression_id, entries.c.place, entries.c.output_id)


def as_error(row: Any, run: RunRow) -> TestError:
    """A row of `select_entries`."""
    extension = row.correct_extension
    return TestError(
        run_id=run.run_id,
        regression_id=row.regression_id,
        sample_id=row.sample_id,
        output_id=row.output_id if row.output_id > 0 else None,
        type=ErrorType(row.type),
        occurred_at=row.occurred_at or when_unknown(run),
        exit_code=row.exit_code,
        expected_exit_code=row.expected_exit_code,
        outcome=row.outcome,
        signal=row.signal,
        told=row.told or None,
        filename=None if extension is None else row.expected_filename or f"output{extension}",
        extension=extension,
        correct=row.correct or None,
        expected_at_run=row.expected_at_run or None,
        actual=row.actual or None,
    )


def count(run: RunRow, wanted: ErrorFilter) -> int:
    """How many errors of a run are `wanted`."""
    entries = entries_of(run.run_id).subquery("entries")
    total: int = db.session.execute(
        select(func.count())
        .select_from(entries)
        .join(RegressionTest, RegressionTest.id == entries.c.regression_id)
        .where(*wanted.conditions(entries, run.run_id))
    ).scalar_one()
    return total


def entries_of(run_id: int) -> CompoundSelect[Any]:
    """Every error of a run: `regression_id`, `place`, `output_id` and `type`."""
    results = (
        select()
        .select_from(Result)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.test_id == run_id, verdict.in_set())
    )
    test, output = Result.regression_test_id, RegressionTestOutput.id
    kind = case(
        (_was_killed(), ErrorType.test_failure.value), else_=ErrorType.exit_code_mismatch.value
    )
    exits = _as_entry(results, test, EXIT, literal(NO_OUTPUT), kind).outerjoin(
        ResultRecord, is_record_of(run_id, test)
    )
    differing = (
        _as_entry(results, test, OUTPUT, output, literal(ErrorType.diff_mismatch.value))
        .join(
            ResultFile,
            and_(ResultFile.test_id == Result.test_id, ResultFile.regression_test_id == test),
        )
        .join(RegressionTestOutput, verdict.is_differing())
    )
    missing = _as_entry(
        results, test, OUTPUT, output, literal(ErrorType.missing_output.value)
    ).join(RegressionTestOutput, RegressionTestOutput.regression_id == test)
    nothing = _as_entry(
        results,
        test,
        OUTPUT,
        literal(verdict.SENTINEL_OUTPUT),
        literal(ErrorType.missing_output.value),
    )
    return union_all(
        exits.where(verdict.wrong_exit()),
        differing,
        missing.where(verdict.is_missing()),
        nothing.where(verdict.is_missing_all()),
    )


def _as_entry(
    results: Select[Any], test: Any, place: int, output: Any, kind: ColumnElement[str]
) -> Select[Any]:
    return results.add_columns(
        test.label("regression_id"),
        literal(place).label("place"),
        output.label("output_id"),
        kind.label("type"),
    )


def _was_killed() -> ColumnElement[bool]:
    """Whether a `Result` ended by a signal or a limit: its record says so or, where an existing
    worker reported it, its negative exit code, which is a signal's or a crash's."""
    return or_(
        ResultRecord.outcome != Outcome.exited,
        and_(ResultRecord.id.is_(None), Result.exit_code < 0),
    )


def is_record_of(run_id: int, regression_id: Any) -> ColumnElement[bool]:
    """Whether a `ResultRecord` is that of a run's test."""
    return and_(ResultRecord.test_id == run_id, ResultRecord.regression_test_id == regression_id)


def occurred_at() -> Any:
    """When our runner says that a test's errors happened, or NULL, from its `ResultRecord`."""
    return func.coalesce(ResultRecord.started_at, ResultRecord.recorded_at)


def when_unknown(run: RunRow) -> datetime:
    """When an error happened that nobody dated."""
    return run.ended_at or run.created_at
