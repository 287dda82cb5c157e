"""The entries of ended runs that are not kept: derived, in one statement."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, and_, case, exists, false, or_, true

from database import fetch, unindexed
from mod_regression.models import RegressionTest
from mod_test import result_rows, run_filters, run_rows, verdict
from mod_test.history.entries import TESTS, Asked, Ended, Entry, Place
from mod_test.history.runtimes import Of
from mod_test.models import CustomizedTest, Result, ResultRecord, Run, RunRecord
from mod_test.result_rows import ResultRow, outputs_of
from mod_test.signatures import Failure, failure_of
from mod_test.verdict import ResultStatus

_IS_RECORDED = exists().where(
    CustomizedTest.test_id == Run.id, CustomizedTest.regression_id == RegressionTest.id
)
# Of an ended `Run` and a `RegressionTest`, joined (outer) to the result.
_IN_SET = or_(
    and_(Result.test_id.is_not(None), verdict.in_set()),
    and_(Result.test_id.is_(None), _IS_RECORDED),
)


@dataclass
class Pending:
    """How tests went in runs that are not kept: those that are meant by place, with their results;
    and of all of them how they ended, and their runtimes in ms."""

    entries: dict[Place, Entry] = field(default_factory=dict)
    results: dict[Place, ResultRow] = field(default_factory=dict)
    ended: dict[int, list[Ended]] = field(default_factory=dict)
    runtimes: dict[Of, dict[int, int]] = field(default_factory=dict)

    def behind(self, asked: Asked) -> list[Place]:
        """The entries that may be on the page."""
        return [place for place in self.entries if asked.is_behind(place)]

    def sign(self, places: Collection[Place]) -> None:
        """Say of the entries at these places how they failed."""
        failed = [place for place in places if self.results[place].status.is_failure]
        outputs = outputs_of(failed)
        for place in failed:
            self.entries[place].failure = failure_of(self.results[place], outputs[place])


def read(asked: Asked) -> Pending:
    """How the tests that are asked for went in runs that are not kept."""
    found = Pending()
    wanted = asked.wanted.result_status
    for row in fetch(_entries(asked.given), asked.params):
        result = result_rows.as_result(row)
        if result.has_result:
            passed = result.status is ResultStatus.passed
            ended = Ended(result.run_id, row.commit.lower(), row.platform, passed)
            found.ended.setdefault(result.regression_id, []).append(ended)
            if row.runtime is not None:
                of = result.regression_id, row.platform
                found.runtimes.setdefault(of, {})[result.run_id] = row.runtime
        if row.is_meant and wanted in (None, result.status):
            found.results[result.place] = result
            found.entries[result.place] = _entry(row, result)
    return found


def _entry(row: Any, result: ResultRow) -> Entry:
    return Entry(
        run_id=result.run_id,
        regression_id=result.regression_id,
        created_at=row.created_at,
        commit_sha=row.commit.lower(),
        branch=row.branch or None,
        platform=row.platform,
        status=result.status.value,
        runtime_ms=result.runtime_ms,
        failure=Failure(),
    )


@functools.cache
def _entries(given: frozenset[str]) -> Select[Any]:
    meant: Sequence[Any] = run_filters.of_derived(given)
    return (
        run_rows.pending(
            *result_rows.columns(verdict.status_in_run(true(), false()), Run.id),
            RunRecord.created_at,
            Run.commit,
            Run.branch,
            Run.platform,
            case((and_(true(), *meant), 1), else_=0).label("is_meant"),
        )
        .join(RegressionTest, RegressionTest.id.in_(TESTS))
        .outerjoin(Result, _is_result())
        .outerjoin(ResultRecord, ResultRecord.is_of_result())
        .where(run_rows.has_ended(), _IN_SET)
        .order_by(Run.id.desc(), unindexed(RegressionTest.id).desc())
    )


def _is_result() -> Any:
    return and_(Result.test_id == Run.id, Result.regression_test_id == RegressionTest.id)
