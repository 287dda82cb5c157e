"""How many entries of kept runs there are.

All that is rolled up is counted once for each version of it; of runs that marks concern, which are
few, it is counted again and taken off.
"""

import functools
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from database import fetch_value
from mod_test import run_filters
from mod_test.history.entries import STATUS, TESTS, Asked
from mod_test.rollup import kept
from mod_test.rollup.kept import CONCERNED, NONE
from mod_test.rollup.memory import remembered
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.verdict import ResultStatus


def total(asked: Asked) -> int:
    """Return how many entries of kept runs are meant, on all pages."""
    if not asked.tests:
        return 0
    status = asked.wanted.result_status

    def count(*, is_concerned: bool = False) -> int:
        return int(fetch_value(_counting(asked.given, status, is_concerned), asked.params))

    named = tuple((name, str(value)) for name, value in sorted(asked.wanted.runs.params.items()))
    marks, key = kept.known(), ("entries", asked.tests, named, status)
    whole = remembered(marks, key, count, also_marked=True)
    return whole if marks.concerned == NONE else whole - count(is_concerned=True)


@functools.cache
def _counting(
    given: frozenset[str], status: ResultStatus | None, is_concerned: bool
) -> Select[Any]:
    """Most runs have the same set of tests, so entries are counted by sets: so many runs times so
    many tests of the sample; what did not pass is counted by itself. `is_concerned`: of runs that
    marks concern only."""
    if status is None:
        return select(_in_sets(given, is_concerned))
    if status is ResultStatus.passed:
        return select(_in_sets(given, is_concerned) - _not_passed(given, is_concerned))
    return select(_not_passed(given, is_concerned, FailingResult.status == STATUS))


def _in_sets(given: frozenset[str], is_concerned: bool) -> Any:
    runs = (
        select(RunRollup.set_id, func.count().label("number"))
        .where(RunRollup.set_id.is_not(None), *run_filters.of_kept(given))
        .where(*_among(RunRollup, is_concerned))
        .group_by(RunRollup.set_id)
        .subquery("runs_by_set")
    )
    tests = (
        select(RunSetMember.set_id, func.count().label("number"))
        .where(RunSetMember.regression_test_id.in_(TESTS))
        .group_by(RunSetMember.set_id)
        .subquery("tests_by_set")
    )
    number = func.coalesce(func.sum(runs.c.number * tests.c.number), 0)
    return (
        select(number).select_from(runs).join(tests, tests.c.set_id == runs.c.set_id)
    ).scalar_subquery()


def _not_passed(given: frozenset[str], is_concerned: bool, *conditions: ColumnElement[bool]) -> Any:
    found = select(func.count()).select_from(FailingResult)
    if given:
        found = found.join(RunRollup, RunRollup.test_id == FailingResult.test_id)
        found = found.where(*run_filters.of_kept(given))
    return found.where(
        FailingResult.regression_test_id.in_(TESTS),
        *_among(FailingResult, is_concerned),
        *conditions,
    ).scalar_subquery()


def _among(table: Any, is_concerned: bool) -> list[ColumnElement[bool]]:
    return [table.test_id.in_(CONCERNED)] if is_concerned else []
