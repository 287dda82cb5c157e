"""Counts of runs: tests that passed, failed, produced nothing or have no result."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, literal, select, union_all

from database import fetch, fetch_values
from mod_test import failures, sets
from mod_test.counts import RunCounts
from mod_test.models import Result, Run
from mod_test.run_rows import RunRow
from mod_test.sets import ids_of, members_of
from mod_test.verdict import ResultStatus

MEMBERS, FAILING = 0, 1


def counts_of_runs(runs: Iterable[RunRow]) -> dict[int, RunCounts]:
    """Return the counts of each run: precomputed, else derived in one statement."""
    runs = list(runs)
    found: dict[int, RunCounts] = {}
    skipped = _skipped([run for run in runs if run.kept_counts is None and run.is_kept])
    for run in runs:
        counts = run.kept_counts
        if counts is None and run.run_id in skipped:
            counts = run.counts_with(skipped[run.run_id])
        if counts is not None:
            found[run.run_id] = counts
    rest = [run for run in runs if run.run_id not in found]
    return found | (_derived(rest) if rest else {})


def _skipped(runs: list[RunRow]) -> dict[int, int]:
    """Count today's active tests without a result, for live runs without a recorded set."""
    if not runs:
        return {}
    active, inactive = len(sets.active()), sets.inactive()
    ids = [run.run_id for run in runs if run.results]
    of_inactive: dict[int, int] = {}
    if ids and inactive:
        of_inactive = dict(fetch(_REPORTED, {"ids": ids, "tests": sorted(inactive)}))
    return {
        run.run_id: active - ((run.results or 0) - of_inactive.get(run.run_id, 0)) for run in runs
    }


def _derived(runs: list[RunRow]) -> dict[int, RunCounts]:
    members: dict[int, Any] = {}
    failing: dict[int, Any] = {}
    for row in fetch(COUNTS, ids_of(runs)):
        (members if row.kind == MEMBERS else failing)[row.test_id] = row
    return {run.run_id: _counts(members.get(run.run_id), failing.get(run.run_id)) for run in runs}


def with_errors(runs: Iterable[RunRow]) -> set[int]:
    """Return the ids of runs with a test error, in one statement: cheaper than their counts."""
    found: set[int] = set()
    rest: list[int] = []
    for run in runs:
        if run.errors is None:
            rest.append(run.run_id)
        elif run.errors:
            found.add(run.run_id)
    if rest:
        found.update(fetch_values(WITH_ERRORS, {"ids": rest}))
    return found


def counts_of_run(run: RunRow) -> RunCounts:
    """The counts of one run."""
    return counts_of_runs([run])[run.run_id]


def _counts(members: Any, failing: Any) -> RunCounts:
    results, skipped = (members.one, members.other) if members else (0, 0)
    failed, missing = (failing.one, failing.other) if failing else (0, 0)
    return RunCounts(
        passed=int(results - failed - missing),
        failed=int(failed),
        missing_output=int(missing),
        skipped=int(skipped),
        errors=int(failing.errors) if failing else 0,
    )


def _members() -> Select[Any]:
    """Return how many tests of each run's set have a result, and how many have none."""
    rows = members_of(failures.IDS, bindparam("live", expanding=True)).subquery("members")
    has_result = and_(
        Result.test_id == rows.c.test_id, Result.regression_test_id == rows.c.regression_id
    )
    results = func.count(Result.test_id)
    return (
        select(
            literal(MEMBERS).label("kind"),
            rows.c.test_id.label("test_id"),
            results.label("one"),
            (func.count() - results).label("other"),
            literal(0).label("errors"),
        )
        .select_from(rows)
        .outerjoin(Result, has_result)
        .group_by(rows.c.test_id)
    )


def _failing() -> Select[Any]:
    """Return how many results of each run failed, how many produced nothing, and their errors."""
    rows = failures.failing(failures.of_runs).subquery("failing")

    def number(status: ResultStatus) -> Any:
        return func.sum(case((rows.c.status == status.value, 1), else_=0))

    return select(
        literal(FAILING),
        rows.c.test_id,
        number(ResultStatus.fail),
        number(ResultStatus.missing_output),
        func.sum(rows.c.errors),
    ).group_by(rows.c.test_id)


WITH_ERRORS = select(Run.id).where(Run.id.in_(failures.IDS), failures.has_errors(Run))
# How many of some tests have a result.
_REPORTED = (
    select(Result.test_id, func.count())
    .where(
        Result.test_id.in_(failures.IDS),
        Result.regression_test_id.in_(bindparam("tests", expanding=True)),
    )
    .group_by(Result.test_id)
)
COUNTS = union_all(_members(), _failing())
