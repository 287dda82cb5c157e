"""Compares two runs test by test: fixed, broken, still failing."""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, or_, select, union_all
from sqlalchemy.orm import aliased

from database import by_index, exact, fetch, fetch_value, in_this_order
from errors import NotFound
from mod_api.services import links
from mod_api.services.paging import Page, page
from mod_regression.definitions import Definition
from mod_test import catalogue, repositories, run_rows
from mod_test.comparison import Change, Side, change_between
from mod_test.models import Fork, Run
from mod_test.result_rows import Place, outputs_of, results_at
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup
from mod_test.run_rows import RunRow
from mod_test.run_tests import statuses
from mod_test.sets import are_kept
from mod_test.signatures import Failure, failure_of
from mod_test.verdict import ResultStatus

MAIN_BRANCHES = ("master", "main")
NOWHERE = Side(None, Failure())
PASSED = Side(ResultStatus.passed, Failure())


@dataclass(slots=True)
class Comparison:
    """One regression test in both runs as the API shows it."""

    regression_id: int
    sample_id: int
    command: str
    change: Change
    status: ResultStatus | None
    to_status: ResultStatus | None
    failure_signature: str | None
    to_failure_signature: str | None
    failure_content: str | None
    to_failure_content: str | None
    links: dict[str, str]


def compare(
    run_id: int,
    to: int | None,
    *,
    change: Change | None,
    main_repository: str,
    limit: int,
    offset: int,
    base: str,
) -> Page[Comparison]:
    """One page of the tests that are in the set of either run, by id, with how many there are of
    each change. Failures are the same where their signatures and contents are.

    Without `to` it is the newest ended run of the main branch on the same platform before this run;
    where there is none, the page is empty. Raises NotFound.
    """
    other_id = _main_run_before(run_id, main_repository) if to is None else to
    found = run_rows.find_all([run_id] if other_id is None else [run_id, other_id])
    run = _found(found, run_id)
    rows = [] if other_id is None else _compared(run, _found(found, other_id))
    counts = Counter(row.change for row in rows)
    wanted = [row for row in rows if change in (None, row.change)]
    shown = wanted[offset : offset + limit]
    tests = catalogue.definitions([row.regression_id for row in shown])
    return page(
        [_comparison(row, run.run_id, tests[row.regression_id], base) for row in shown],
        total=len(wanted),
        limit=limit,
        offset=offset,
        run_id=run.run_id,
        to=other_id,
        counts={kind.value: counts[kind] for kind in Change},
    )


def beside_main(run: RunRow, main_repository: str) -> "tuple[RunRow | None, list[Compared]]":
    """The newest ended run of the main branch on the same platform before a run, and how each
    regression test went in both; none and nothing where there is no such run."""
    other_id = _main_run_before(run.run_id, main_repository)
    if other_id is None:
        return None, []
    found = run_rows.find_all([run.run_id, other_id])
    other = _found(found, other_id)
    return other, _compared(_found(found, run.run_id), other)


def _found(runs: Mapping[int, RunRow], run_id: int) -> RunRow:
    if run_id not in runs:
        raise NotFound("run", run_id)
    return runs[run_id]


def _compared(run: RunRow, other: RunRow) -> list["Compared"]:
    return _kept(run, other) if are_kept([run, other]) else _derived(run, other)


def _main_run_before(run_id: int, main_repository: str) -> int | None:
    found: int | None = fetch_value(_newest_of(main_repository), {"run_id": run_id})
    return found


# Composed once: composing it costs more than the database needs for it.
@functools.cache
def _newest_of(main_repository: str) -> Select[Any]:
    """The newest ended run of a repository's main branch before `run_id`, on its platform."""
    before = bindparam("run_id", type_=Integer)
    this = aliased(Run)
    platform = select(this.platform).where(this.id == before).scalar_subquery()
    of_repository = repositories.is_named(main_repository)

    def kept(branch: str) -> Select[Any]:
        newest = select(RunRollup.test_id).join(Fork, Fork.id == RunRollup.fork_id)
        newest = newest.where(
            of_repository,
            RunRollup.branch == branch,
            RunRollup.test_id < before,
            RunRollup.platform == platform,
            RunRollup.pull_request.is_(None),
            RunRollup.set_id.is_not(None),
            IS_KEPT,
        )
        # Backwards from the run, however many there are behind it.
        newest = by_index(newest, RunRollup, "ix_run_rollup_of_branch")
        last = in_this_order(newest).order_by(RunRollup.test_id.desc()).limit(1)
        return select(last.subquery())

    others = run_rows.pending(Run.id).where(
        Run.id < before,
        Run.platform == platform,
        Run.pr_nr <= 0,
        or_(*(exact(Run.branch) == exact(branch) for branch in MAIN_BRANCHES)),
        of_repository,
        run_rows.has_ended(),
    )
    found = union_all(*map(kept, MAIN_BRANCHES), others).subquery("found")
    return select(func.max(found.c.test_id))


@dataclass(slots=True)
class Compared:
    """A regression test, and how it went in both runs."""

    regression_id: int
    here: Side
    there: Side
    change: Change


def _kept(run: RunRow, other: RunRow) -> list[Compared]:
    """Of runs whose sets are kept, and what did not pass in them."""
    sides: dict[Place, Side] = {}
    for run_id, test, status, *failure in fetch(_FAILING, {"ids": [run.run_id, other.run_id]}):
        sides[run_id, test] = Side(ResultStatus(status), Failure(*failure))
    here, there = (catalogue.members_of_set(of.set_id or 0) for of in (run, other))
    return [
        _of_sides(
            test,
            sides.get((run.run_id, test), PASSED) if test in here else NOWHERE,
            sides.get((other.run_id, test), PASSED) if test in there else NOWHERE,
        )
        for test in sorted(here | there)
    ]


_FAILING = select(
    FailingResult.test_id,
    FailingResult.regression_test_id,
    FailingResult.status,
    FailingResult.signature,
    FailingResult.content,
).where(FailingResult.test_id.in_(bindparam("ids", expanding=True)))


def _derived(run: RunRow, other: RunRow) -> list[Compared]:
    found = statuses([run, other])
    sides = {place: Side(status, Failure()) for place, status in found.items()}
    failed = {place: status for place, status in found.items() if status.is_failure}
    outputs = outputs_of(failed)
    for row in results_at(failed):
        sides[row.place] = Side(row.status, failure_of(row, outputs[row.place]))
    return [
        _of_sides(
            test,
            sides.get((run.run_id, test), NOWHERE),
            sides.get((other.run_id, test), NOWHERE),
        )
        for test in sorted({test for _, test in found})
    ]


def _of_sides(test: int, here: Side, there: Side) -> Compared:
    return Compared(test, here, there, change_between(here, there))


def _comparison(row: Compared, run_id: int, test: Definition, base: str) -> Comparison:
    sample_id = test.sample_id or 0  # each of a set has one
    return Comparison(
        regression_id=row.regression_id,
        sample_id=sample_id,
        command=test.command,
        change=row.change,
        status=row.here.status,
        to_status=row.there.status,
        failure_signature=row.here.failure.signature,
        to_failure_signature=row.there.failure.signature,
        failure_content=row.here.failure.content,
        to_failure_content=row.there.failure.content,
        links=links.of_result(run_id, row.regression_id, sample_id, base),
    )
