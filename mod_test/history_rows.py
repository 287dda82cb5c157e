"""The history of a sample: its regression tests in every ended run that had them in its set.

Of kept runs it is read along the indexes of what is kept, test by test; the others, few, are
derived.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from database import db, in_this_order
from mod_regression.models import RegressionTest
from mod_test import result_rows, run_filters, run_rows, verdict
from mod_test.models import CustomizedTest, Platform, Result, ResultRecord, Run, RunRecord
from mod_test.result_rows import ResultRow
from mod_test.rollup.kept import CONCERNED, IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.run_filters import RunFilter
from mod_test.verdict import ResultStatus

TESTS: Any = bindparam("tests", expanding=True)
RESULT_STATUS: Any = bindparam("of_result_status")
PASSED = ResultStatus.passed.value


_IS_RECORDED = exists().where(
    CustomizedTest.test_id == Run.id, CustomizedTest.regression_id == RegressionTest.id
)
# Of an ended `Run` and a `RegressionTest`, joined (outer) to the result.
IN_SET = or_(
    and_(Result.test_id.is_not(None), verdict.in_set()),
    and_(Result.test_id.is_(None), _IS_RECORDED),
)
DERIVED = verdict.status_in_run(true(), false())
STATUS = case(
    (RunRollup.test_id.is_not(None), func.coalesce(FailingResult.status, literal(PASSED))),
    else_=DERIVED,
)


@dataclass(frozen=True)
class HistoryFilter:
    """Which entries are meant; `runs` speaks of the run, the others of the entry itself."""

    runs: RunFilter
    result_status: ResultStatus | None = None
    regression_id: int | None = None


@dataclass(frozen=True)
class Entry:
    """One regression test in one ended run."""

    result: ResultRow
    created_at: datetime
    commit_sha: str
    branch: str | None
    platform: Platform

    @property
    def run_id(self) -> int:
        return self.result.run_id

    @property
    def regression_id(self) -> int:
        return self.result.regression_id


def tests_of(sample_id: int) -> list[int]:
    """The regression tests of a sample, by id."""
    return list(db.session.scalars(_TESTS_OF, {"sample_id": sample_id}))


_TESTS_OF = (
    select(RegressionTest.id)
    .where(RegressionTest.sample_id == bindparam("sample_id"))
    .order_by(RegressionTest.id)
)


def params_of(wanted: HistoryFilter, tests: Sequence[int]) -> dict[str, Any]:
    """The parameters of the statements below, for these tests of the sample."""
    params: dict[str, Any] = {**wanted.runs.params, "tests": list(tests) or [0]}
    params |= {f"of_test_{place}": test for place, test in enumerate(tests)}
    if wanted.result_status is not None:
        params["of_result_status"] = wanted.result_status.value
    return params


def kept_entries(
    given: frozenset[str], result_status: ResultStatus | None, place: int
) -> tuple[Select[Any], Any, Any]:
    """The entries in kept runs of the test that is the parameter `of_test_{place}`: `run_id` and
    `regression_id`; with the columns of both, which sort them."""
    test: Any = bindparam(f"of_test_{place}")
    if result_status is None or result_status is ResultStatus.passed:
        has_test = and_(
            RunSetMember.set_id == RunRollup.set_id, RunSetMember.regression_test_id == test
        )
        entries = (
            select(RunRollup.test_id.label("run_id"), RunSetMember.regression_test_id)
            .select_from(RunRollup)
            .join(RunSetMember, has_test)
        )
        if result_status is ResultStatus.passed:
            entries = entries.outerjoin(FailingResult, _is_failing(RunRollup.test_id, test))
            entries = entries.where(FailingResult.test_id.is_(None))
        columns = RunRollup.test_id, RunSetMember.regression_test_id
    else:
        entries = (
            select(FailingResult.test_id.label("run_id"), FailingResult.regression_test_id)
            .select_from(FailingResult)
            .join(RunRollup, RunRollup.test_id == FailingResult.test_id)
            .where(FailingResult.regression_test_id == test, FailingResult.status == RESULT_STATUS)
        )
        columns = FailingResult.test_id, FailingResult.regression_test_id
    entries = in_this_order(entries.where(IS_KEPT, *run_filters.of_kept(given)))
    return entries, *columns


def other_entries(
    given: frozenset[str], result_status: ResultStatus | None
) -> tuple[Select[Any], Any, Any]:
    """The same of all `tests` in the other ended runs."""
    entries = (
        run_rows.pending(Run.id.label("run_id"), RegressionTest.id.label("regression_test_id"))
        .join(RegressionTest, RegressionTest.id.in_(TESTS))
        .outerjoin(Result, _is_result(Run.id))
        .where(run_rows.has_ended(), IN_SET, *run_filters.of_derived(given))
    )
    if result_status is not None:
        entries = entries.where(DERIVED == RESULT_STATUS)
    return entries, Run.id, RegressionTest.id


@functools.cache
def counting(given: frozenset[str], result_status: ResultStatus | None) -> Select[Any]:
    """What counts all entries that are meant.

    Most runs have the same set of tests, so entries are counted by sets: so many runs times so
    many tests of the sample; what did not pass is counted by itself.
    """
    entries, *_ = other_entries(given, result_status)
    others = entries.with_only_columns(func.count()).scalar_subquery()
    if result_status is None:
        return select(_in_sets(given) + others)
    if result_status is ResultStatus.passed:
        return select(_in_sets(given) - _not_passed(given) + others)
    return select(_not_passed(given, FailingResult.status == RESULT_STATUS) + others)


def _in_sets(given: frozenset[str]) -> Any:
    runs = (
        select(RunRollup.set_id, func.count().label("number"))
        .where(IS_KEPT, *run_filters.of_kept(given))
        .group_by(RunRollup.set_id)
        .subquery("runs_by_set")
    )
    tests = (
        select(RunSetMember.set_id, func.count().label("number"))
        .where(RunSetMember.regression_test_id.in_(TESTS))
        .group_by(RunSetMember.set_id)
        .subquery("tests_by_set")
    )
    # As whole numbers: MariaDB's sums are decimals.
    number = func.coalesce(func.sum(runs.c.number * tests.c.number), 0)
    return (
        select(number).select_from(runs).join(tests, tests.c.set_id == runs.c.set_id)
    ).scalar_subquery()


def _not_passed(given: frozenset[str], *conditions: ColumnElement[bool]) -> Any:
    found = select(func.count()).select_from(FailingResult)
    kept: list[ColumnElement[bool]] = [FailingResult.test_id.not_in(CONCERNED)]
    if given:
        found = found.join(RunRollup, RunRollup.test_id == FailingResult.test_id)
        kept = [IS_KEPT, *run_filters.of_kept(given)]
    return found.where(
        FailingResult.regression_test_id.in_(TESTS), *conditions, *kept
    ).scalar_subquery()


def shown(page: Subquery) -> Select[Any]:
    """What `as_entry` reads, of the entries of a page (`run_id`, `regression_test_id`)."""
    return in_this_order(
        select(
            *result_rows.columns(STATUS, Run.id),
            RunRecord.created_at,
            Run.commit,
            Run.branch,
            Run.platform,
        )
        .select_from(page)
        .join(Run, Run.id == page.c.run_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .join(RegressionTest, RegressionTest.id == page.c.regression_test_id)
        .outerjoin(Result, _is_result(Run.id))
        .outerjoin(ResultRecord, ResultRecord.is_of_result())
        .outerjoin(RunRollup, and_(RunRollup.test_id == Run.id, IS_KEPT))
        .outerjoin(FailingResult, _is_failing(RunRollup.test_id, RegressionTest.id))
    )


def as_entry(row: Any) -> Entry:
    """A row of `shown`."""
    return Entry(
        result=result_rows.as_result(row),
        created_at=row.created_at,
        commit_sha=row.commit.lower(),
        branch=row.branch or None,
        platform=row.platform,
    )


def _is_result(run_id: Any) -> ColumnElement[bool]:
    return and_(Result.test_id == run_id, Result.regression_test_id == RegressionTest.id)


def _is_failing(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    return and_(FailingResult.test_id == run_id, FailingResult.regression_test_id == regression_id)
