"""Two runs compared, test by test: what the one fixed, what it broke."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import or_

from database import db, exact
from errors import NotFound
from mod_api.services import links
from mod_api.services.paging import Page, page
from mod_test import repositories, result_rows, run_rows
from mod_test.comparison import Change, Side, change_between
from mod_test.models import Run
from mod_test.result_rows import OutputRow, Place, ResultFilter, ResultRow
from mod_test.run_rows import RunRow
from mod_test.signatures import failure_signature
from mod_test.verdict import ResultStatus

MAIN_BRANCHES = ("master", "main")


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
    rows = _compared(run, other, base)
    counts = Counter(row.change for row in rows)
    wanted = [row for row in rows if change in (None, row.change)]
    return page(
        wanted[offset : offset + limit],
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
    newest = (
        run_rows.ROWS.where(
            Run.id < run.run_id,
            Run.platform == run.platform,
            Run.pr_nr <= 0,
            Run.branch.in_(MAIN_BRANCHES),
            or_(*(exact(Run.branch) == exact(branch) for branch in MAIN_BRANCHES)),
            repositories.is_named(main_repository),
            run_rows.has_ended(),
        )
        .order_by(Run.id.desc())
        .limit(1)
    )
    row = db.session.execute(newest).first()
    if row is None:
        raise NotFound(
            "run", "to", "There is no ended run of the main branch to compare with; name one in to."
        )
    return run_rows.as_run(row)


def _compared(run: RunRow, other: RunRow, base: str) -> list[Comparison]:
    statement, params = result_rows.of_runs([run, other], ResultFilter())
    found = db.session.execute(statement, params)
    rows = sorted(map(result_rows.as_result, found), key=lambda row: row.regression_id)
    outputs = result_rows.outputs_of([row.place for row in rows if row.status.is_failure])
    by_place = {row.place: row for row in rows}
    tests = {row.regression_id: row for row in rows}
    return [
        _comparison(test, run.run_id, other.run_id, by_place, outputs, base)
        for test in tests.values()
    ]


def _comparison(
    test: ResultRow,
    run_id: int,
    other_id: int,
    rows: Mapping[Place, ResultRow],
    outputs: Mapping[Place, Sequence[OutputRow]],
    base: str,
) -> Comparison:
    here = _side(rows.get((run_id, test.regression_id)), outputs)
    there = _side(rows.get((other_id, test.regression_id)), outputs)
    return Comparison(
        regression_id=test.regression_id,
        sample_id=test.sample_id,
        command=test.command,
        change=change_between(here, there),
        status=here.status,
        to_status=there.status,
        failure_signature=here.signature,
        to_failure_signature=there.signature,
        links=links.of_result(run_id, test.regression_id, test.sample_id, base),
    )


def _side(row: ResultRow | None, outputs: Mapping[Place, Sequence[OutputRow]]) -> Side:
    if row is None:
        return Side(None, None)
    return Side(row.status, failure_signature(row, outputs.get(row.place, ())))
