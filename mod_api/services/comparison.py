"""Two runs compared, test by test: what the one fixed, what it broke."""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, or_, select, union_all

from database import db, exact
from errors import NotFound
from mod_api.services import links
from mod_api.services.paging import Page, page
from mod_test import repositories, result_rows, run_rows
from mod_test.comparison import Change, Side, change_between
from mod_test.models import Fork, Run
from mod_test.result_rows import ResultFilter
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import RunRollup
from mod_test.run_rows import RunRow
from mod_test.signatures import failure_signature
from mod_test.verdict import ResultStatus

MAIN_BRANCHES = ("master", "main")
NOWHERE = Side(None, None)
_SIDES = {status.value: Side(status, None) for status in ResultStatus}


@dataclass(frozen=True)
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
    each change. Failures are the same where their signatures are.

    Without `to` it is the newest ended run of the main branch on the same platform before this run.
    Raises NotFound, also where there is no such run to compare with.
    """
    found = run_rows.find_all([run_id] if to is None else [run_id, to])
    run = _found(found, run_id)
    other = _main_run_before(run, main_repository) if to is None else _found(found, to)
    rows = _compared(run, other)
    counts = Counter(row.change for row in rows)
    wanted = [row for row in rows if change in (None, row.change)]
    return page(
        [_comparison(row, run.run_id, base) for row in wanted[offset : offset + limit]],
        total=len(wanted),
        limit=limit,
        offset=offset,
        run_id=run.run_id,
        to=other.run_id,
        counts={kind.value: counts[kind] for kind in Change},
    )


def _found(runs: Mapping[int, RunRow], run_id: int) -> RunRow:
    if run_id not in runs:
        raise NotFound("run", run_id)
    return runs[run_id]


def _main_run_before(run: RunRow, main_repository: str) -> RunRow:
    params = {"run_id": run.run_id, "platform": run.platform}
    row = db.session.execute(_newest_of(main_repository), params).first()
    if row is None:
        raise NotFound(
            "run", "to", "There is no ended run of the main branch to compare with; name one in to."
        )
    return run_rows.as_run(row)


# Composed once: composing it costs more than the database needs for it.
@functools.cache
def _newest_of(main_repository: str) -> Select[Any]:
    """The newest ended run of a repository's main branch before `run_id`, on `platform`."""
    before = bindparam("run_id", type_=Integer)
    platform = bindparam("platform", type_=Run.platform.type)
    of_repository = repositories.is_named(main_repository)

    def kept(branch: str) -> Select[Any]:
        newest = select(RunRollup.test_id).where(
            RunRollup.fork_id == Fork.id,
            RunRollup.branch == branch,
            RunRollup.test_id < before,
            RunRollup.platform == platform,
            RunRollup.pull_request.is_(None),
            IS_KEPT,
        )
        # Backwards from the run, however many there are: MariaDB would read what is before it.
        for dialect in ("mysql", "mariadb"):
            newest = newest.with_hint(RunRollup, "FORCE INDEX (ix_run_rollup_branches)", dialect)
        last = newest.order_by(RunRollup.test_id.desc()).limit(1).correlate(Fork)
        return select(last.scalar_subquery().label("run_id")).where(of_repository)

    others = run_rows.pending(Run.id).where(
        Run.id < before,
        Run.platform == platform,
        Run.pr_nr <= 0,
        or_(*(exact(Run.branch) == exact(branch) for branch in MAIN_BRANCHES)),
        of_repository,
        run_rows.has_ended(),
    )
    found = union_all(*map(kept, MAIN_BRANCHES), others).subquery("found")
    return run_rows.ROWS.where(Run.id == select(func.max(found.c.run_id)).scalar_subquery())


@dataclass(frozen=True)
class Compared:
    """A regression test (a row of `result_rows.columns`) and how it went in both runs."""

    test: Any
    here: Side
    there: Side
    change: Change


def _compared(run: RunRow, other: RunRow) -> list[Compared]:
    statement, params = result_rows.of_runs([run, other], ResultFilter())
    found = db.session.execute(statement, params).all()
    tests = {row.regression_id: row for row in found}
    failed = [result_rows.as_result(row) for row in found if ResultStatus(row.status).is_failure]
    outputs = result_rows.outputs_of([row.place for row in failed])
    sides = {(row.run_id, row.regression_id): _SIDES[row.status] for row in found}
    for row in failed:
        sides[row.place] = Side(row.status, failure_signature(row, outputs[row.place]))
    compared = []
    for test_id in sorted(tests):
        here = sides.get((run.run_id, test_id), NOWHERE)
        there = sides.get((other.run_id, test_id), NOWHERE)
        compared.append(Compared(tests[test_id], here, there, change_between(here, there)))
    return compared


def _comparison(row: Compared, run_id: int, base: str) -> Comparison:
    test = row.test
    return Comparison(
        regression_id=test.regression_id,
        sample_id=test.sample_id,
        command=test.command,
        change=row.change,
        status=row.here.status,
        to_status=row.there.status,
        failure_signature=row.here.signature,
        to_failure_signature=row.there.signature,
        links=links.of_result(run_id, test.regression_id, test.sample_id, base),
    )
