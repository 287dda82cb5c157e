"""The test errors of a run as rows: one per wrong exit code, differing and missing output.

Which they are is decided by `mod_test.failures`; here they are listed, filtered and counted in the
database, so that their number is the `errors` of `mod_test.standings` always.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, bindparam, func, select
from sqlalchemy.orm import aliased

from mod_regression.classifications import is_of
from mod_regression.models import DiffClassification, RegressionTest, RegressionTestOutput
from mod_test import failures, verdict
from mod_test.errors_of_tests import ErrorType, Severity, TestError
from mod_test.models import Result, ResultFile, ResultRecord
from mod_test.run_rows import RunRow

TYPES: Any = bindparam("of_types", expanding=True)
RUN_ID: Any = bindparam("run_id")


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

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        found: dict[str, Any] = {}
        if self.type is not None:
            found["of_type"] = self.type.value
        if self.severity is not None:
            found["of_types"] = [kind.value for kind in ErrorType if kind.severity is self.severity]
        if self.sample_id is not None:
            found["of_sample_id"] = self.sample_id
        if self.regression_id is not None:
            found["of_regression_id"] = self.regression_id
        if self.caption_change is not None:
            found["of_caption_change"] = self.caption_change
            found["of_caption_rules"] = self.caption_rules
        return found


def params_of(run: RunRow, wanted: ErrorFilter) -> dict[str, Any]:
    """The parameters of every statement about the errors of a run that are `wanted`."""
    return {"ids": [run.run_id], "run_id": run.run_id, **wanted.params}


@functools.cache
def entries_of(*, is_kept: bool) -> Subquery:
    """Every error of the run that is the parameter `ids`; `is_kept`: the run is rolled up."""
    where = failures.of_kept_runs if is_kept else failures.of_runs
    return failures.entries(where, are_members=is_kept).subquery("entries")


def conditions(entries: Any, given: frozenset[str]) -> list[ColumnElement[bool]]:
    """What entries must meet, where these names are among the parameters; joined to their
    `RegressionTest`."""
    found: dict[str, Callable[[], ColumnElement[bool]]] = {
        "of_type": lambda: entries.c.type == bindparam("of_type"),
        "of_types": lambda: entries.c.type.in_(TYPES),
        "of_sample_id": lambda: RegressionTest.sample_id == bindparam("of_sample_id"),
        "of_regression_id": lambda: entries.c.regression_id == bindparam("of_regression_id"),
        "of_caption_change": lambda: _is_classified(entries),
    }
    return [found[name]() for name in found if name in given]


def _is_classified(entries: Any) -> ColumnElement[bool]:
    """Whether an entry is a differing output whose captions changed as is asked for."""
    file, output = aliased(ResultFile), aliased(RegressionTestOutput)
    came_out = func.coalesce(file.got, file.expected)
    rules: Any = bindparam("of_caption_rules")
    of_entry = (
        select(DiffClassification.kind)
        .select_from(file)
        .join(output, output.id == file.regression_test_output_id)
        .join(DiffClassification, is_of(output.correct, came_out, output.correct_extension, rules))
        .where(
            file.test_id == RUN_ID,
            file.regression_test_id == entries.c.regression_id,
            output.id == entries.c.output_id,
            DiffClassification.kind == bindparam("of_caption_change"),
        )
    )
    return and_(entries.c.type == ErrorType.diff_mismatch.value, of_entry.exists())


@functools.cache
def selecting(given: frozenset[str], *, is_kept: bool) -> tuple[Select[Any], tuple[Any, ...]]:
    """The statement of a run's errors, which `as_error` reads, where these names are among the
    parameters, and the columns of their order, which is total."""
    entries = entries_of(is_kept=is_kept)
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
            and_(Result.test_id == RUN_ID, Result.regression_test_id == entries.c.regression_id),
        )
        .join(RegressionTest, RegressionTest.id == entries.c.regression_id)
        .outerjoin(ResultRecord, is_record_of(entries.c.regression_id))
        .outerjoin(
            RegressionTestOutput,
            and_(RegressionTestOutput.id == entries.c.output_id, entries.c.output_id > 0),
        )
        .outerjoin(
            ResultFile,
            and_(
                ResultFile.test_id == RUN_ID,
                ResultFile.regression_test_id == entries.c.regression_id,
                ResultFile.regression_test_output_id == RegressionTestOutput.id,
            ),
        )
        .where(*conditions(entries, given))
    )
    return statement, (entries.c.regression_id, entries.c.place, entries.c.output_id)


@functools.cache
def counting(given: frozenset[str], *, is_kept: bool) -> Select[Any]:
    """What counts the errors of a run."""
    entries = entries_of(is_kept=is_kept)
    return (
        select(func.count())
        .select_from(entries)
        .join(RegressionTest, RegressionTest.id == entries.c.regression_id)
        .where(*conditions(entries, given))
    )


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


def is_record_of(regression_id: Any) -> ColumnElement[bool]:
    """Whether a `ResultRecord` is that of a test in the run that is the parameter `run_id`."""
    return and_(ResultRecord.test_id == RUN_ID, ResultRecord.regression_test_id == regression_id)


def occurred_at() -> Any:
    """When our runner says that a test's errors happened, or NULL, from its `ResultRecord`."""
    return func.coalesce(ResultRecord.started_at, ResultRecord.recorded_at)


def when_unknown(run: RunRow) -> datetime:
    """When an error happened that nobody dated."""
    return run.ended_at or run.created_at
