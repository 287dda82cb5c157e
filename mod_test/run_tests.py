"""The regression tests of runs, filtered: which there are, and how each of them reads."""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, literal_column, select

from database import ASCII_LOWER, contains_text, exact
from mod_regression.models import Category, RegressionTest, test_categories
from mod_sample.models import Sample
from mod_sample.tags import has_tag
from mod_test import verdict
from mod_test.models import Result
from mod_test.rollup.tables import FailingResult
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept, ids_of, kept_members_of, members_of
from mod_test.verdict import ResultStatus

# Statements are composed once: composing one costs more than the database needs for it.
IDS: Any = bindparam("ids", expanding=True)
# What rows of `of_runs` are sorted by.
BY_TEST: Any = literal_column("regression_id")


@dataclass(frozen=True)
class ResultFilter:
    """Which results of a run are meant; None filters nothing."""

    status: ResultStatus | None = None
    name: str | None = None
    tag: str | None = None
    category: str | None = None
    sample_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.name is not None:
            given["name"] = self.name.translate(ASCII_LOWER)
        return {f"of_{name}": value for name, value in given.items() if value is not None}


def has_category(name: Any) -> ColumnElement[bool]:
    """Whether a `RegressionTest` is in a category of exactly this name, among others."""
    return RegressionTest.id.in_(
        select(test_categories.c.regression_id)
        .join(Category, Category.id == test_categories.c.category_id)
        .where(
            test_categories.c.regression_id.is_not(None),
            Category.name == name,
            exact(Category.name) == exact(name),
        )
    )


# What filters ask of the `RegressionTest` itself.
_OF_TEST: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "of_name": lambda name: RegressionTest.sample_id.in_(
        select(Sample.id).where(contains_text(Sample.original_name, name))
    ),
    "of_tag": lambda name: has_tag(RegressionTest.sample_id, name),
    "of_category": has_category,
    "of_sample_id": lambda sample_id: RegressionTest.sample_id == sample_id,
}


def of_runs(
    runs: Sequence[RunRow], wanted: ResultFilter, running: Collection[int] = ()
) -> tuple[Select[Any], dict[str, Any]]:
    """The tests of the sets of `runs` that are `wanted`, also those without a result, as rows
    `run_id`, `regression_id` and `status`: a statement, which is composed once for each choice of
    filters, and its parameters.

    `running` are the tests at which the runner of a run that has not ended is at the moment.
    """
    given, params = frozenset(wanted.params), {**ids_of(runs), **wanted.params}
    if are_kept(runs):
        return _kept(given), params
    ended = [run.run_id for run in runs if run.status.has_ended]
    return _derived(given), {**params, "ended": ended, "running": list(running)}


@functools.cache
def _kept(given: frozenset[str]) -> Select[Any]:
    """Of runs whose sets and failing results are kept."""
    of_set = kept_members_of(IDS).subquery("members")
    status: Any = func.coalesce(FailingResult.status, ResultStatus.passed.value)
    is_failing = and_(
        FailingResult.test_id == of_set.c.test_id,
        FailingResult.regression_test_id == of_set.c.regression_id,
    )
    rows = _rows(of_set, status).outerjoin(FailingResult, is_failing)
    if given & set(_OF_TEST):
        rows = rows.join(RegressionTest, RegressionTest.id == of_set.c.regression_id)
    return rows.where(*_conditions(given, status))


@functools.cache
def _derived(given: frozenset[str]) -> Select[Any]:
    of_set = members_of(IDS, bindparam("live", expanding=True)).subquery("members")
    status = verdict.status_in_run(
        of_set.c.test_id.in_(bindparam("ended", expanding=True)),
        of_set.c.regression_id.in_(bindparam("running", expanding=True)),
    )
    is_result = and_(
        Result.test_id == of_set.c.test_id,
        Result.regression_test_id == of_set.c.regression_id,
    )
    return (
        _rows(of_set, status)
        .join(RegressionTest, RegressionTest.id == of_set.c.regression_id)
        .outerjoin(Result, is_result)
        .where(*_conditions(given, status))
    )


def _rows(of_set: Any, status: ColumnElement[str]) -> Select[Any]:
    columns = of_set.c.test_id.label("run_id"), of_set.c.regression_id, status.label("status")
    return select(*columns).select_from(of_set)


def _conditions(given: frozenset[str], status: Any) -> list[ColumnElement[bool]]:
    conditions: dict[str, Callable[[Any], ColumnElement[bool]]] = {
        **_OF_TEST,
        "of_status": lambda value: status == value,
    }
    return [conditions[name](bindparam(name)) for name in sorted(given)]
