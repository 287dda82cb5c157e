"""What is wrong with results, set by set: how many entries runs' error lists have.

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
from mod_test.models import Result, ResultFile
from mod_test.verdict import ResultStatus

Where = Callable[[Any, Any], ColumnElement[bool]]

IDS: Any = bindparam("ids", expanding=True)


def of_runs(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    """Results of the runs that are the parameter `ids`."""
    found: ColumnElement[bool] = run_id.in_(IDS)
    return found


def _entries(where: Where) -> Select[Any]:
    """Every error of the results that meet `where` (of their run and regression test): `test_id`,
    `regression_id`, and whether (1) an output `is_missing`.

    Whether a result belongs to its run's set is asked last, of those few only.
    """
    found = union_all(*_kinds(where)).subquery("of_any_set")
    return (
        select(found)
        .join(RegressionTest, RegressionTest.id == found.c.regression_id)
        .where(verdict.in_set(found.c.test_id, found.c.regression_id))
    )


def has_errors(run: Any) -> ColumnElement[bool]:
    """Return whether some result of a `run` does not pass: each kind of error is looked for up to
    the first."""
    kinds = _kinds(lambda run_id, _: run_id == run.id)
    return or_(*(kind.where(verdict.in_set()).correlate(run).exists() for kind in kinds))


def _kinds(where: Where) -> list[Select[Any]]:
    """The errors of any set by their kinds, what is quickest to find first."""
    test = Result.regression_test_id
    results = (
        select()
        .select_from(Result)
        .join(RegressionTest, RegressionTest.id == test)
        .where(where(Result.test_id, test))
    )
    differing = (
        _as_entry(results, is_missing=False)
        .join(
            ResultFile,
            and_(ResultFile.test_id == Result.test_id, ResultFile.regression_test_id == test),
        )
        .join(RegressionTestOutput, verdict.is_differing())
        .where(where(ResultFile.test_id, ResultFile.regression_test_id))
    )
    missing = _as_entry(results, is_missing=True)
    outputs = missing.join(RegressionTestOutput, RegressionTestOutput.regression_id == test)
    return [
        _as_entry(results, is_missing=False).where(verdict.wrong_exit()),
        differing,
        missing.where(verdict.is_missing_all()),
        outputs.where(verdict.is_missing()),
    ]


def failing(where: Where) -> Select[Any]:
    """The results that do not pass: `test_id`, `regression_test_id`, `status` and `errors`."""
    found = _entries(where).subquery("entries")
    is_missing = func.max(found.c.is_missing) == 1
    status = case((is_missing, ResultStatus.missing_output.value), else_=FAIL)
    return select(
        found.c.test_id,
        found.c.regression_id.label("regression_test_id"),
        status.label("status"),
        func.count().label("errors"),
    ).group_by(found.c.test_id, found.c.regression_id)


FAIL = literal(ResultStatus.fail.value)


def _as_entry(results: Select[Any], *, is_missing: bool) -> Select[Any]:
    return results.add_columns(
        Result.test_id.label("test_id"),
        Result.regression_test_id.label("regression_id"),
        literal(int(is_missing)).label("is_missing"),
    )
