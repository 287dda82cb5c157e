"""Since when tests fail on the main branch: the first run of their unbroken row of failures."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select

from database import by_index, fetch, in_this_order
from mod_test import repositories
from mod_test.models import Fork
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.run_rows import RunRow
from mod_test.verdict import ResultStatus

# So many runs of the branch are looked at: more would cost what nobody reads.
MOST_RUNS = 200


class Since(NamedTuple):
    """The run with which a row of failures begins; `is_earliest` is False where it may be older,
    beyond the runs that were looked at."""

    run_id: int
    is_earliest: bool


def rows_of_failures(last: RunRow, main_repository: str, tests: Sequence[int]) -> dict[int, Since]:
    """Where the row of failures that ends with `last` begins, for tests that fail in it.

    Runs of the same branch and platform count, of `main_repository` and of no pull request; those
    without a result of a test do not break its row. Three statements, or none without tests.
    """
    if not tests:
        return {}
    asked = {"before": last.run_id, "branch": last.branch, "platform": last.platform}
    runs = fetch(_runs(main_repository, MOST_RUNS), asked)
    of_tests = {"tests": list(tests)}
    sets = sorted({run.set_id for run in runs}) or [0]
    members = {tuple(row) for row in fetch(_MEMBERS, {"sets": sets, **of_tests})}
    ids = [run.test_id for run in runs] or [0]
    statuses = {
        (run_id, test): status for run_id, test, status in fetch(_FAILING, {"ids": ids, **of_tests})
    }
    return {test: _row(test, last.run_id, runs, members, statuses) for test in tests}


def _row(
    test: int,
    last: int,
    runs: Sequence[Any],
    members: set[tuple[Any, ...]],
    statuses: dict[tuple[int, int], str],
) -> Since:
    first = last
    for run in runs:
        status = statuses.get((run.test_id, test))
        if (run.set_id, test) not in members or status == ResultStatus.skipped.value:
            continue
        if status is None:
            return Since(first, is_earliest=True)
        first = run.test_id
    return Since(first, is_earliest=len(runs) < MOST_RUNS)


@functools.cache
def _runs(main_repository: str, most: int) -> Select[Any]:
    """The newest kept runs of a branch before one, the newest first."""
    runs = (
        select(RunRollup.test_id, RunRollup.set_id)
        .join(Fork, Fork.id == RunRollup.fork_id)
        .where(
            repositories.is_named(main_repository),
            RunRollup.branch == bindparam("branch"),
            RunRollup.platform == bindparam("platform"),
            RunRollup.test_id < bindparam("before"),
            RunRollup.pull_request.is_(None),
            RunRollup.set_id.is_not(None),
            IS_KEPT,
        )
    )
    runs = by_index(runs, RunRollup, "ix_run_rollup_of_branch")
    return in_this_order(runs).order_by(RunRollup.test_id.desc()).limit(most)


_TESTS: Any = bindparam("tests", expanding=True)
_MEMBERS = select(RunSetMember.set_id, RunSetMember.regression_test_id).where(
    RunSetMember.set_id.in_(bindparam("sets", expanding=True)),
    RunSetMember.regression_test_id.in_(_TESTS),
)
_FAILING = select(
    FailingResult.test_id, FailingResult.regression_test_id, FailingResult.status
).where(
    FailingResult.test_id.in_(bindparam("ids", expanding=True)),
    FailingResult.regression_test_id.in_(_TESTS),
)
