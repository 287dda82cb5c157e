"""Where runs stand: how many of their tests passed, failed, produced nothing or have no result."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, select

from database import db
from mod_test.counts import Standing
from mod_test.models import Result
from mod_test.run_rows import RunRow
from mod_test.sets import ids_of, members_of
from mod_test.verdict import ResultStatus, result_verdicts


def standings(runs: Iterable[RunRow]) -> dict[int, Standing]:
    """The counts of each of `runs`: kept with the ended ones, else derived in two statements."""
    runs = list(runs)
    found = {run.run_id: run.standing for run in runs if run.standing is not None}
    runs = [run for run in runs if run.standing is None]
    if not runs:
        return found
    ids = ids_of(runs)
    counted = {row.test_id: row for row in db.session.execute(COUNTS, {"ids": ids["ids"]})}
    skipped = dict(db.session.execute(SKIPPED, ids).tuples().all())
    for run in runs:
        row = counted.get(run.run_id)
        found[run.run_id] = Standing(
            passed=int(row.passed) if row else 0,
            failed=int(row.failed) if row else 0,
            missing_output=int(row.missing_output) if row else 0,
            errors=int(row.errors) if row else 0,
            skipped=skipped.get(run.run_id, 0),
        )
    return found


def standing(run: RunRow) -> Standing:
    """The counts of one run."""
    return standings([run])[run.run_id]


def _counts() -> Select[Any]:
    wanted = Result.test_id.in_(bindparam("ids", expanding=True))
    verdicts = result_verdicts(wanted).subquery()

    def number(status: ResultStatus) -> ColumnElement[int]:
        return func.sum(case((verdicts.c.status == status.value, 1), else_=0))

    return select(
        verdicts.c.test_id,
        number(ResultStatus.passed).label("passed"),
        number(ResultStatus.fail).label("failed"),
        number(ResultStatus.missing_output).label("missing_output"),
        func.sum(verdicts.c.errors).label("errors"),
    ).group_by(verdicts.c.test_id)


def _skipped() -> Select[Any]:
    rows = members_of(
        bindparam("ids", expanding=True), bindparam("live", expanding=True)
    ).subquery()
    return (
        select(rows.c.test_id, func.count())
        .select_from(rows)
        .outerjoin(
            Result,
            and_(
                Result.test_id == rows.c.test_id, Result.regression_test_id == rows.c.regression_id
            ),
        )
        .where(Result.test_id.is_(None))
        .group_by(rows.c.test_id)
    )


# Written once: composing statements of this size costs more than the database needs for them.
COUNTS = _counts()
SKIPPED = _skipped()
