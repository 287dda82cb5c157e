"""Deriving what is rolled up: ended runs as a whole, or single results of many runs."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, bindparam, case, delete, exists, func, insert, select

from database import db, fetch, replace_rows
from mod_regression.models import RegressionTest
from mod_test import failures
from mod_test.models import CustomizedTest, Progress, Result, ResultFile, Run, TestStatus
from mod_test.rollup.facts import facts_of
from mod_test.rollup.kept import has_hash
from mod_test.rollup.tables import FailingResult, OpenRun, RunRollup
from mod_test.verdict import (
    ResultStatus,
    has_sample,
    last_progress_id,
    run_status,
)

BATCH = 100
RUNS = 1000
SKIPPED = ResultStatus.skipped.value
T = TypeVar("T")
Pair = tuple[int, int]


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of at most `size`."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def roll_up(run_ids: Collection[int]) -> None:
    """Derive these runs anew: the ended ones are rolled up, the others are open."""
    for batch in batches(sorted(run_ids), BATCH):
        _roll_up(batch)


def derived(run_ids: Collection[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of `run_rollup` and `failing_result` that these runs should have."""
    rows, skipped = _derive(run_ids)
    ended = [row["test_id"] for row in rows]
    failing = failing_results(lambda run_id, _: run_id.in_(ended)) if ended else []
    return [_judged(row) for row in _with_failures(rows, failing)], failing + skipped


def _roll_up(run_ids: list[int]) -> None:
    rows, failing = derived(run_ids)
    for table in (RunRollup, FailingResult, OpenRun):
        db.session.execute(
            delete(table)
            .where(table.test_id.in_(run_ids))
            .execution_options(synchronize_session=False)
        )
    ended = {row["test_id"] for row in rows}
    existing = db.session.scalars(select(Run.id).where(Run.id.in_(run_ids))).all()
    _insert(OpenRun, [{"test_id": run_id} for run_id in existing if run_id not in ended])
    _insert(FailingResult, failing)
    _insert(RunRollup, rows)


def _derive(run_ids: Collection[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the rollup says of each ended run of these, without its failing results; and the tests
    that they skipped."""
    last = (
        select(Run.id, Progress.status, Progress.timestamp)
        .join(Progress, Progress.id == last_progress_id())
        .where(
            Run.id.in_(run_ids),
            Progress.status.in_([TestStatus.completed, TestStatus.canceled]),
        )
    )
    # MariaDB also finds these words in other letters, which we do not read: such a run stays open
    # rather than keep all others from being settled.
    ended = {row.id: row for row in db.session.execute(last) if row.status is not None}
    facts = facts_of(ended)
    ended = {run_id: row for run_id, row in ended.items() if run_id in facts}
    if not ended:
        return [], []
    started = dict(
        db.session.execute(
            select(Progress.test_id, Progress.timestamp).where(
                Progress.id.in_(
                    select(func.min(Progress.id))
                    .where(
                        Progress.test_id.in_(ended),
                        Progress.status.in_([TestStatus.preparation, TestStatus.testing]),
                    )
                    .group_by(Progress.test_id)
                )
            )
        )
        .tuples()
        .all()
    )
    skipped = db.session.execute(
        select(CustomizedTest.test_id, CustomizedTest.regression_id)
        .distinct()
        .join(RegressionTest, RegressionTest.id == CustomizedTest.regression_id)
        .where(
            CustomizedTest.test_id.in_(ended),
            has_sample(),
            ~exists().where(
                Result.test_id == CustomizedTest.test_id,
                Result.regression_test_id == CustomizedTest.regression_id,
            ),
        )
    ).all()
    number_skipped = Counter(row.test_id for row in skipped)
    rows = [
        {
            "test_id": run_id,
            "ended_as": row.status,
            "started_at": started.get(run_id),
            "ended_at": row.timestamp,
            "results": facts[run_id].members - number_skipped[run_id],
            "skipped": number_skipped[run_id],
            **facts[run_id].columns,
        }
        for run_id, row in ended.items()
    ]
    return rows, [
        {
            "test_id": row.test_id,
            "regression_test_id": row.regression_id,
            "status": SKIPPED,
            "errors": 0,
        }
        for row in skipped
    ]


def failing_results(where: failures.Where) -> list[dict[str, Any]]:
    """The results that meet `where` and do not pass."""
    return [dict(row) for row in db.session.execute(failures.failing(where)).mappings()]


def results_of_definitions(regression_ids: Collection[int]) -> set[Pair]:
    """The results of rolled-up runs that depend on these regression tests' definitions."""
    rows = db.session.execute(
        select(Result.test_id, Result.regression_test_id)
        .join(RunRollup, RunRollup.test_id == Result.test_id)
        .where(Result.regression_test_id.in_(regression_ids))
    )
    return set(rows.tuples())


def results_of_hashes(hashes: Collection[tuple[int, str]]) -> set[Pair]:
    """The results of rolled-up runs in which one of these outputs came out with this hash, or
    matched it as its baseline."""
    found: set[Pair] = set()
    for output_id, file_hash in hashes:
        rows = db.session.execute(
            select(ResultFile.test_id, ResultFile.regression_test_id)
            .join(RunRollup, RunRollup.test_id == ResultFile.test_id)
            .where(
                ResultFile.regression_test_output_id == output_id,
                has_hash(ResultFile, file_hash),
            )
        )
        found.update(rows.tuples())
    return found


def derive_results(pairs: Collection[Pair]) -> None:
    """Derive single results of rolled-up runs anew, and what follows for their runs."""
    runs_of: dict[int, list[int]] = defaultdict(list)
    for run_id, regression_id in sorted(pairs):
        runs_of[regression_id].append(run_id)
    for regression_id, run_ids in runs_of.items():
        for batch in batches(run_ids, RUNS):
            _derive_test(regression_id, batch)
    for batch in batches(sorted({run_id for run_id, _ in pairs}), RUNS):
        _judge_again(batch)


def _derive_test(regression_id: int, run_ids: list[int]) -> None:
    """The results of one test in these runs."""
    failing = fetch(_FAILING_OF_TEST, {"ids": run_ids, "test": regression_id}).mappings().all()
    db.session.execute(
        delete(FailingResult)
        .where(
            FailingResult.test_id.in_(run_ids),
            FailingResult.regression_test_id == regression_id,
            FailingResult.status != SKIPPED,  # of those there is no result to derive
        )
        .execution_options(synchronize_session=False)
    )
    _insert(FailingResult, [dict(row) for row in failing])


def _judge_again(run_ids: list[int]) -> None:
    """Status and counts of rolled-up runs whose failing results have changed."""
    counts = {row.test_id: row for row in fetch(_COUNTS, {"ids": run_ids})}
    changed = []
    for row in fetch(_ROLLUPS, {"ids": run_ids}).mappings():
        of = counts.get(row["test_id"])
        judged = _judged(
            {
                **row,
                "failed": int(of.failed) if of else 0,
                "missing_output": int(of.missing_output) if of else 0,
                "errors": int(of.errors) if of else 0,
            }
        )
        if judged != dict(row):
            changed.append(judged)
    replace_rows(RunRollup, ("status", "failed", "missing_output", "errors"), changed)


def _with_failures(
    rows: list[dict[str, Any]], failing: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of runs with the counts of their failing results."""
    counts: dict[int, dict[str, int]] = {
        row["test_id"]: {"failed": 0, "missing_output": 0, "errors": 0} for row in rows
    }
    for result in failing:
        found = counts[result["test_id"]]
        missing = result["status"] == ResultStatus.missing_output.value
        found["missing_output" if missing else "failed"] += 1
        found["errors"] += result["errors"]
    return [{**row, **counts[row["test_id"]]} for row in rows]


def _judged(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its run's status, by the rules of `mod_test.verdict`."""
    failures = row["failed"] + row["missing_output"]
    results = [ResultStatus.fail] * min(1, failures)
    results += [ResultStatus.passed] * min(1, row["results"] - failures)
    status = run_status(
        row["ended_as"], waits=False, results=results, recorded_without_result=row["skipped"] > 0
    )
    return {**row, "status": status.value}


def _insert(table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        db.session.execute(insert(table), rows)


def _of_test(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    return and_(run_id.in_(failures.IDS), regression_id == bindparam("test"))


def _number(status: ResultStatus) -> Any:
    return func.sum(case((FailingResult.status == status.value, 1), else_=0))


# Composed once: an approval may concern thousands of runs.
_FAILING_OF_TEST = failures.failing(_of_test)
_ROLLUPS = select(RunRollup.__table__).where(RunRollup.test_id.in_(failures.IDS))
_COUNTS = (
    select(
        FailingResult.test_id,
        _number(ResultStatus.fail).label("failed"),
        _number(ResultStatus.missing_output).label("missing_output"),
        func.sum(FailingResult.errors).label("errors"),
    )
    .where(FailingResult.test_id.in_(failures.IDS))
    .group_by(FailingResult.test_id)
)
