"""Which regression tests belong to a run (docs/semantics.md, "Its set of tests")."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
    true,
    union,
)

from database import fetch, fetch_values
from mod_regression.models import RegressionTest
from mod_test import catalogue
from mod_test.models import CustomizedTest, Result, Run
from mod_test.run_rows import RunRow
from mod_test.verdict import has_sample


def is_active() -> Any:
    """Return whether a RegressionTest is active (NULL is true) and can be run: it has a sample."""
    return and_(func.coalesce(RegressionTest.active, True).is_(True), has_sample())


def recorded(run_id: Any) -> Select[Any]:
    """The rows `regression_id` of the set that was recorded with a run; none when none was."""
    return select(CustomizedTest.regression_id).where(
        CustomizedTest.test_id == run_id, CustomizedTest.regression_id.is_not(None)
    )


def active() -> frozenset[int]:
    """Today's set."""
    return catalogue.remembered("active", lambda: frozenset(fetch_values(_ACTIVE)))


def inactive() -> frozenset[int]:
    """Those that have a sample, and are not of it."""
    return catalogue.remembered("inactive", lambda: frozenset(fetch_values(_INACTIVE)))


_ACTIVE = select(RegressionTest.id).where(is_active())
_INACTIVE = select(RegressionTest.id).where(has_sample(), ~is_active())


def ids_of(runs: Sequence[RunRow]) -> dict[str, list[int]]:
    """The ids of `runs`, and of those of them that go on: what `members_of` takes."""
    live = [run.run_id for run in runs if not run.status.has_ended]
    return {"ids": [run.run_id for run in runs], "live": live}


def members_of(ids: Any, live: Any) -> CompoundSelect[Any]:
    """The sets of runs as rows `test_id`, `regression_id`, of ids or of parameters for them: what
    was recorded when anything was, else the run's results and, while it goes on, today's active
    tests."""
    recorded = (
        select(CustomizedTest.test_id, CustomizedTest.regression_id)
        .join(RegressionTest, RegressionTest.id == CustomizedTest.regression_id)
        .where(CustomizedTest.test_id.in_(ids), has_sample())
    )
    reported = (
        select(Result.test_id, Result.regression_test_id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.test_id.in_(ids), has_sample(), ~_is_recorded(Result.test_id))
    )
    expected = (
        select(Run.id, RegressionTest.id)
        .join(RegressionTest, true())
        .where(Run.id.in_(live), is_active(), ~_is_recorded(Run.id))
    )
    return union(recorded, reported, expected)


def are_kept(runs: Sequence[RunRow]) -> bool:
    """Return whether the sets of all of `runs` are kept: the catalogue has them, much cheaper."""
    return all(run.set_id is not None for run in runs)


def regression_ids(run: RunRow) -> Collection[int]:
    """The regression tests of one run."""
    if are_kept([run]):
        return catalogue.members_of_set(run.set_id or 0)
    return {row.regression_id for row in fetch(_MEMBERS, ids_of([run]))}


def asked_for(run: RunRow) -> Collection[int]:
    """The regression tests that a run was asked for: its recorded set, else all active ones of
    today (semantics.md, "Its set of tests")."""
    recorded = fetch(_RECORDED, {"run_id": run.run_id})
    if not recorded:
        return active()
    return {regression_id for regression_id, sample_id in recorded if sample_id is not None}


def has_test(run: RunRow, regression_id: int) -> bool:
    """Return whether a regression test is in the set of a run."""
    return regression_id in regression_ids(run)


def _is_recorded(run_id: Any) -> Any:
    return exists().where(
        CustomizedTest.test_id == run_id, CustomizedTest.regression_id.is_not(None)
    )


_RECORDED = (
    select(CustomizedTest.regression_id, RegressionTest.sample_id)
    .outerjoin(RegressionTest, RegressionTest.id == CustomizedTest.regression_id)
    .where(CustomizedTest.test_id == bindparam("run_id"), CustomizedTest.regression_id.is_not(None))
)
_MEMBERS = members_of(bindparam("ids", expanding=True), bindparam("live", expanding=True))
