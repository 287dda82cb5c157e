"""Which entries of kept runs there are: the places of a page, without how they ended."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, Select, and_, bindparam, select, union_all

from database import by_index, fetch, in_this_order, not_by_index
from mod_test import run_filters
from mod_test.history.entries import STATUS, TESTS, Asked, Place
from mod_test.history.facts import Facts
from mod_test.history.runtimes import BACK
from mod_test.models import Platform, Run
from mod_test.rollup.facts import CUT
from mod_test.rollup.kept import CONCERNED, IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup
from mod_test.signatures import Failure
from mod_test.verdict import ResultStatus, RunStatus

SOME_MORE = 6  # runs that a page may need beyond what its length says
SETS: Any = bindparam("sets", expanding=True)
RUNS: Any = bindparam("runs", expanding=True)
REACH: Any = bindparam("reach", type_=Integer)
LOOKED_AT: Any = bindparam("looked_at", type_=Integer)


class KeptRun(NamedTuple):
    """A run that has ended and is kept."""

    run_id: int
    set_id: int
    platform: Platform
    created_at: datetime
    commit_sha: str
    branch: str


@dataclass
class Found:
    """Entries up to the reach of what was asked for, in order; and runs that were met on the way.

    `all_from`: of the runs from this one up to the newest entry's, all that could matter are known.
    """

    places: list[Place] = field(default_factory=list)
    runs: dict[int, KeptRun] = field(default_factory=dict)
    failures: dict[Place, Failure] | None = None
    all_from: int | None = None


def find(asked: Asked, facts: Facts) -> Found:
    """The entries of kept runs that are asked for, without how they ended."""
    status = asked.wanted.result_status
    if not asked.tests:
        return Found()
    if status is None or status is ResultStatus.passed:
        return _by_runs(asked, facts)
    return _by_failures(asked)


def _by_runs(asked: Asked, facts: Facts) -> Found:
    """Run by run, the newest first: each has the tests of its set."""
    found = Found()
    only_passed = asked.wanted.result_status is ResultStatus.passed
    of_a_run = max(map(len, facts.tests_of_set.values()), default=1)
    is_dense = asked.given <= {"of_run_platform"}
    most = -(-asked.reach // of_a_run) + SOME_MORE + (BACK if is_dense else 0)
    behind = asked.behind[0] + 1 if asked.behind else None
    # Nearly all runs have some of the tests. Where that is not so, it is asked for.
    only_sets = False
    while True:
        runs = _runs(asked, facts, behind, most, only_sets=only_sets)
        failing = _failing(asked.tests, runs) if only_passed else set()
        for run in runs:
            found.runs[run.run_id] = run
            for test in facts.tests_of_set.get(run.set_id, ()):
                place = run.run_id, test
                if asked.is_behind(place) and place not in failing:
                    found.places.append(place)
        if len(runs) < most:
            found.all_from = 0 if is_dense else None
            return found
        if len(found.places) >= asked.reach:
            found.all_from = runs[-1].run_id if is_dense else None
            return found
        behind, most = runs[-1].run_id, max(asked.reach, 4 * most)
        only_sets = True


def _runs(
    asked: Asked, facts: Facts, behind: int | None, most: int, *, only_sets: bool
) -> list[KeptRun]:
    params = {**asked.params, "sets": list(facts.tests_of_set), "most_runs": most}
    if behind is not None:
        params["behind_run"] = behind
    rows = fetch(_listed(asked.given, only_sets, behind is not None), params)
    return _with_branches([KeptRun(*row) for row in rows])


@functools.cache
def _listed(given: frozenset[str], only_sets: bool, is_behind: bool) -> Select[Any]:
    runs = _KEPT_RUNS.where(*run_filters.of_kept(given))
    if only_sets:
        runs = runs.where(RunRollup.set_id.in_(SETS))
    if is_behind:
        runs = runs.where(RunRollup.test_id < bindparam("behind_run"))
    runs = _by_index(runs, given)
    return runs.order_by(RunRollup.test_id.desc()).limit(bindparam("most_runs", type_=Integer))


def _by_index(runs: Select[Any], given: frozenset[str]) -> Select[Any]:
    """Runs, the newest first, along the index for what is given.

    By itself MariaDB reads all of a status or a branch down to the run that a page is behind.
    """
    if given <= {"of_run_status", "of_run_branch", "of_run_platform"}:
        if "of_run_branch" in given:
            return by_index(runs, RunRollup, "ix_run_rollup_of_branch")
        if "of_run_status" in given:
            return by_index(runs, RunRollup, "ix_run_rollup_of_status")
    # Nearly all runs have one of the sets: looking for each of them would be in vain.
    return not_by_index(runs, RunRollup, "ix_run_rollup_set")


_KEPT_RUN = (
    RunRollup.test_id,
    RunRollup.set_id,
    RunRollup.platform,
    RunRollup.created_at,
    RunRollup.commit_sha,
    RunRollup.branch,
)
_KEPT_RUNS = select(*_KEPT_RUN).where(RunRollup.set_id.is_not(None), IS_KEPT)


def _with_branches(runs: list[KeptRun]) -> list[KeptRun]:
    """The runs with their branches whole, where they are kept shortened."""
    cut = [run.run_id for run in runs if CUT in run.branch]
    if not cut:
        return runs
    whole = dict(fetch(_BRANCHES, {"runs": cut}))
    return [run._replace(branch=whole.get(run.run_id, run.branch)) for run in runs]


_BRANCHES = select(Run.id, Run.branch).where(Run.id.in_(RUNS))


def _failing(tests: Sequence[int], runs: Sequence[KeptRun]) -> set[Place]:
    if not runs:
        return set()
    span = {"first": runs[-1].run_id, "last": runs[0].run_id, "tests": list(tests)}
    return {(run_id, test) for run_id, test in fetch(_FAILING, span)}


_FAILING = select(FailingResult.test_id, FailingResult.regression_test_id).where(
    FailingResult.regression_test_id.in_(TESTS),
    FailingResult.test_id.between(bindparam("first"), bindparam("last")),
)


def _by_failures(asked: Asked) -> Found:
    """Test by test, along the index of what did not pass."""
    params = dict(asked.params)
    for place, test in enumerate(asked.tests):
        params[f"of_test_{place}"] = test
        if asked.behind is not None:
            run_id, of_test = asked.behind
            params[f"up_to_{place}"] = run_id if test < of_test else run_id - 1
    shape = asked.given, len(asked.tests), asked.behind is not None
    rows: Sequence[Any] = []
    if _mostly_met(asked):
        params["looked_at"] = 2 * asked.reach
        rows = fetch(_not_passing(*shape, looks_last=True), params)
    if len(rows) < asked.reach:
        params["looked_at"] = asked.reach
        rows = fetch(_not_passing(*shape), params)
    failures = {(row[3], row[0]): Failure(row[1], row[2]) for row in rows}
    runs = _with_branches([KeptRun(*row[3:]) for row in rows])
    places = sorted(failures, reverse=True)
    return Found(places, {run.run_id: run for run in runs}, failures)


def _mostly_met(asked: Asked) -> bool:
    """Return whether nearly all runs with such results are those that are meant: a run that has a
    failing result fails, unless it was canceled."""
    return asked.given == {"of_run_status"} and asked.wanted.runs.status is RunStatus.fail


@functools.lru_cache(maxsize=256)
def _not_passing(
    given: frozenset[str], tests: int, is_behind: bool, *, looks_last: bool = False
) -> Select[Any]:
    """The newest `reach` results that did not pass, with their runs.

    Of each test the newest come along an index; only those that are shown are read whole. With
    `looks_last` runs are looked at then, too: of the newest `looked_at` results.
    """
    parts = []
    for place in range(tests):
        part = select(FailingResult.test_id, FailingResult.regression_test_id).where(
            FailingResult.regression_test_id == bindparam(f"of_test_{place}"),
            FailingResult.status == STATUS,
            FailingResult.test_id.not_in(CONCERNED),
        )
        if given and not looks_last:
            part = part.join(RunRollup, RunRollup.test_id == FailingResult.test_id)
            part = part.where(*run_filters.of_kept(given))
        if is_behind:
            part = part.where(FailingResult.test_id <= bindparam(f"up_to_{place}"))
        parts.append(
            select(part.order_by(FailingResult.test_id.desc()).limit(LOOKED_AT).subquery())
        )
    newest = _newest_of(union_all(*parts).subquery("of_tests"))
    found = in_this_order(
        select(
            FailingResult.regression_test_id,
            FailingResult.signature,
            FailingResult.content,
            *_KEPT_RUN,
        )
        .select_from(newest)
        .join(
            FailingResult,
            and_(
                FailingResult.test_id == newest.c.test_id,
                FailingResult.regression_test_id == newest.c.regression_test_id,
            ),
        )
        .join(RunRollup, RunRollup.test_id == newest.c.test_id)
    )
    if not looks_last:
        return found
    found = found.where(*run_filters.of_kept(given))
    return found.order_by(newest.c.test_id.desc(), newest.c.regression_test_id.desc()).limit(REACH)


def _newest_of(results: Any) -> Any:
    in_order = results.c.test_id.desc(), results.c.regression_test_id.desc()
    return select(results).order_by(*in_order).limit(LOOKED_AT).subquery("newest")
