"""What is wrong with results, set by set: the entries of runs' error lists.

The rules are those of `mod_test.verdict`. Where that asks each result whether it passes, this finds
the ones that do not, which are few: a list of runs and their counts are made of them.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union_all,
)

from mod_regression.models import RegressionTest, RegressionTestOutput
from mod_test import verdict
from mod_test.errors_of_tests import ErrorType
from mod_test.models import Outcome, Result, ResultFile, ResultRecord
from mod_test.rollup.tables import FailingResult
from mod_test.verdict import ResultStatus

Where = Callable[[Any, Any], ColumnElement[bool]]

IDS: Any = bindparam("ids", expanding=True)
NO_OUTPUT = 0
EXIT, OUTPUT = 0, 1  # the order of a test's entries


def of_runs(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    """Results of the runs that are the parameter `ids`."""
    found: ColumnElement[bool] = run_id.in_(IDS)
    return found


def of_kept_runs(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    """The same where all of these runs are rolled up: only tests that are known to fail."""
    failing = select(FailingResult.regression_test_id).where(
        FailingResult.test_id.in_(IDS), FailingResult.status != ResultStatus.skipped.value
    )
    return and_(run_id.in_(IDS), regression_id.in_(failing))


def entries(where: Where, *, are_members: bool = False) -> Select[Any]:
    """Every error of the results that meet `where` (of their run and regression test): `test_id`,
    `regression_id`, `place`, `output_id` and `type`.

    Whether a result belongs to its run's set is asked last, of those few only; not at all where
    `are_members` says so.
    """
    found = union_all(*_kinds(where)).subquery("of_any_set")
    if are_members:
        return select(found)
    return (
        select(found)
        .join(RegressionTest, RegressionTest.id == found.c.regression_id)
        .where(verdict.in_set(found.c.test_id, found.c.regression_id))
    )


def has_errors(run: Any) -> ColumnElement[bool]:
    """Whether some result of a `run` does not pass: each kind of error is looked for up to the
    first."""
    kinds = _kinds(lambda run_id, _: run_id == run.id)
    return or_(*(kind.where(verdict.in_set()).correlate(run).exists() for kind in kinds))


def _kinds(where: Where) -> list[Select[Any]]:
    """The errors of any set by their kinds, what is quickest to find first."""
    test, output = Result.regression_test_id, RegressionTestOutput.id
    results = (
        select()
        .select_from(Result)
        .join(RegressionTest, RegressionTest.id == test)
        .where(where(Result.test_id, test))
    )
    kind = case(
        (_was_killed(), ErrorType.test_failure.value), else_=ErrorType.exit_code_mismatch.value
    )
    missing_output = literal(ErrorType.missing_output.value)
    exits = _as_entry(results, EXIT, literal(NO_OUTPUT), kind).outerjoin(
        ResultRecord, ResultRecord.is_of_result()
    )
    differing = (
        _as_entry(results, OUTPUT, output, literal(ErrorType.diff_mismatch.value))
        .join(
            ResultFile,
            and_(ResultFile.test_id == Result.test_id, ResultFile.regression_test_id == test),
        )
        .join(RegressionTestOutput, verdict.is_differing())
        .where(where(ResultFile.test_id, ResultFile.regression_test_id))
    )
    nothing = _as_entry(results, OUTPUT, literal(verdict.SENTINEL_OUTPUT), missing_output)
    missing = _as_entry(results, OUTPUT, output, missing_output).join(
        RegressionTestOutput, RegressionTestOutput.regression_id == test
    )
    return [
        exits.where(verdict.wrong_exit()),
        differing,
        nothing.where(verdict.is_missing_all()),
        missing.where(verdict.is_missing()),
    ]


def failing(where: Where) -> Select[Any]:
    """The results that do not pass: `test_id`, `regression_test_id`, `status` and `errors`."""
    found = entries(where).subquery("entries")
    is_missing = func.max(case((found.c.type == ErrorType.missing_output.value, 1), else_=0))
    status = case((is_missing == 1, ResultStatus.missing_output.value), else_=FAIL)
    return select(
        found.c.test_id,
        found.c.regression_id.label("regression_test_id"),
        status.label("status"),
        func.count().label("errors"),
    ).group_by(found.c.test_id, found.c.regression_id)


FAIL = literal(ResultStatus.fail.value)


def _as_entry(
    results: Select[Any], place: int, output: Any, kind: ColumnElement[str]
) -> Select[Any]:
    return results.add_columns(
        Result.test_id.label("test_id"),
        Result.regression_test_id.label("regression_id"),
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
