"""The regression tests of runs: which of them are meant, and how each reads."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, and_, bindparam, select

from database import ASCII_LOWER, fetch
from mod_regression.definitions import Definition
from mod_regression.models import RegressionTest
from mod_test import catalogue, verdict
from mod_test.models import Result
from mod_test.result_rows import Place
from mod_test.rollup.tables import FailingResult
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept, ids_of, members_of, regression_ids
from mod_test.verdict import ResultStatus


@dataclass(frozen=True)
class ResultFilter:
    """Which results of a run are meant; None filters nothing.

    A `name` is a part of the sample's, in whichever case of ASCII letters; labels are exact.
    """

    status: ResultStatus | None = None
    name: str | None = None
    tag: str | None = None
    category: str | None = None
    sample_id: int | None = None

    @property
    def asks_of_tests(self) -> bool:
        """Return whether something is asked that the test itself tells, however it ended."""
        return replace(self, status=None) != ResultFilter()

    def chooses(self, test: Definition) -> bool:
        """Return whether a test is meant, however it ended."""
        sample = test.sample
        return (
            self.sample_id in (None, test.sample_id)
            and (self.category is None or self.category in test.categories)
            and (self.tag is None or (sample is not None and self.tag in sample.tags))
            and (
                self.name is None
                or (sample is not None and _lower(self.name) in _lower(sample.name))
            )
        )


def _lower(text: str) -> str:
    return text.translate(ASCII_LOWER)


def tests_of(run: RunRow, wanted: ResultFilter, running: Collection[int] = ()) -> list[int]:
    """The tests of a run's set that are `wanted`, by their ids, also those without a result.

    `running` are the tests at which the runner of a run that has not ended is at the moment.
    """
    if wanted.status is None:
        tests = sorted(regression_ids(run))
    else:
        found = statuses([run], running).items()
        tests = sorted(test for (_, test), status in found if status is wanted.status)
    if not wanted.asks_of_tests:
        return tests
    known = catalogue.definitions(tests)
    return [test for test in tests if test in known and wanted.chooses(known[test])]


def statuses(runs: Sequence[RunRow], running: Collection[int] = ()) -> dict[Place, ResultStatus]:
    """How each test of the sets of `runs` reads, also those without a result (`tests_of`)."""
    ids = ids_of(runs)
    if not are_kept(runs):
        ended = [run.run_id for run in runs if run.status.has_ended]
        rows = fetch(_DERIVED, {**ids, "ended": ended, "running": list(running)})
        return {(run_id, test): ResultStatus(status) for run_id, test, status in rows}
    found = {
        (run.run_id, test): ResultStatus.passed
        for run in runs
        for test in catalogue.members_of_set(run.set_id or 0)
    }
    return found | {
        (run_id, test): ResultStatus(status) for run_id, test, status in fetch(_FAILING, ids)
    }


# Of runs whose sets are kept, what did not pass.
_FAILING = select(
    FailingResult.test_id, FailingResult.regression_test_id, FailingResult.status
).where(FailingResult.test_id.in_(bindparam("ids", expanding=True)))


def _derived() -> Select[Any]:
    of_set = members_of(
        bindparam("ids", expanding=True), bindparam("live", expanding=True)
    ).subquery("members")
    status = verdict.status_in_run(
        of_set.c.test_id.in_(bindparam("ended", expanding=True)),
        of_set.c.regression_id.in_(bindparam("running", expanding=True)),
    )
    is_result = and_(
        Result.test_id == of_set.c.test_id,
        Result.regression_test_id == of_set.c.regression_id,
    )
    return (
        select(of_set.c.test_id, of_set.c.regression_id, status.label("status"))
        .select_from(of_set)
        .join(RegressionTest, RegressionTest.id == of_set.c.regression_id)
        .outerjoin(Result, is_result)
    )


_DERIVED = _derived()
