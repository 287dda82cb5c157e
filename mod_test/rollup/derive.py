"""Deriving what is rolled up: ended runs as a whole, or single results of many runs."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import delete, exists, func, insert, select, tuple_

from database import db
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
PAIRS = 500
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
    for batch in batches(sorted(pairs), PAIRS):
        failing = failing_results(_among(batch))
        db.session.execute(
            delete(FailingResult)
            .where(
                tuple_(FailingResult.test_id, FailingResult.regression_test_id).in_(batch),
                FailingResult.status != SKIPPED,  # of those there is no result to derive
            )
            .execution_options(synchronize_session=False)
        )
        _insert(FailingResult, failing)
    for ids in batches(sorted({run_id for run_id, _ in pairs}), PAIRS):
        _judge_again(ids)


def _among(pairs: Collection[Pair]) -> failures.Where:
    """Whether a run and a regression test are one of these pairs."""
    return lambda run_id, regression_id: tuple_(run_id, regression_id).in_(pairs)


def _judge_again(run_ids: list[int]) -> None:
    """Status and counts of rolled-up runs whose failing results have changed."""
    rollups = db.session.execute(
        select(RunRollup.__table__).where(RunRollup.test_id.in_(run_ids))
    ).mappings()
    kept = [dict(row) for row in rollups]
    failing = [
        {"test_id": row.test_id, "status": row.status, "errors": row.errors}
        for row in db.session.execute(
            select(FailingResult.test_id, FailingResult.status, FailingResult.errors).where(
                FailingResult.test_id.in_(run_ids), FailingResult.status != SKIPPED
            )
        )
    ]
    db.session.execute(
        delete(RunRollup)
        .where(RunRollup.test_id.in_(run_ids))
        .execution_options(synchronize_session=False)
    )
    _insert(RunRollup, [_judged(row) for row in _with_failures(kept, failing)])


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
