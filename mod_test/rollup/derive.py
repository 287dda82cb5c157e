"""Deriving what is kept: runs as a whole, or single results of many runs."""

import functools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

import structlog
from sqlalchemy import (
    ColumnElement,
    String,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    type_coerce,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from database import db, execute, fetch, fetch_values, replace_rows
from mod_regression.models import RegressionTest
from mod_test import failures
from mod_test.cancellations import end_failure
from mod_test.models import (
    CustomizedTest,
    Progress,
    ProgressRecord,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)
from mod_test.result_rows import outputs_of, results_at
from mod_test.rollup.facts import facts_of, members_of_runs, sets_of
from mod_test.rollup.kept import has_hash
from mod_test.rollup.tables import FailingResult, OpenRun, RunRollup
from mod_test.run_rows import latest_event_at, taken_at
from mod_test.signatures import Failure, failure_of
from mod_test.verdict import (
    ResultStatus,
    RunStatus,
    has_sample,
    last_progress_id,
    run_status,
)

log = structlog.get_logger("rollup")
BATCH = 100
RUNS = 1000
SKIPPED = ResultStatus.skipped.value
T = TypeVar("T")
Pair = tuple[int, int]
Row = dict[str, Any]


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


def runs_behind(run_id: int, most: int) -> list[int]:
    """The next runs by id."""
    return list(
        db.session.scalars(select(Run.id).where(Run.id > run_id).order_by(Run.id).limit(most))
    )


def roll_up(run_ids: Collection[int]) -> list[int]:
    """Derive these runs anew, and keep what can be kept of them; those that have ended, now or
    before, and those that are gone."""
    changed: list[int] = []
    for batch in batches(sorted(run_ids), BATCH):
        changed += _roll_up(batch)
    return changed


def derived(run_ids: Collection[int]) -> tuple[list[Row], list[Row]]:
    """The rows of `run_rollup` and `failing_result` that these runs should have."""
    states = _states(run_ids)
    facts = facts_of(states)
    states = {run_id: state for run_id, state in states.items() if run_id in facts}
    members = members_of_runs(states)
    ended = [run_id for run_id, state in states.items() if state["ended_as"] is not None]
    sets = sets_of([members[run_id] for run_id in ended]) if ended else {}
    skipped = _skipped(list(states)) if states else []
    number_skipped = Counter(row["test_id"] for row in skipped)
    recorded = _recorded(list(states)) if states else set()
    rows = []
    for run_id, state in states.items():
        has_ended = state["ended_as"] is not None
        is_known = has_ended or run_id in recorded
        row = {
            "test_id": run_id,
            **state,
            "results": len(members[run_id]) - number_skipped[run_id],
            "skipped": number_skipped[run_id] if is_known else None,
            "set_id": sets[members[run_id]] if has_ended else None,
            **facts[run_id],
        }
        for moment in ("started_at", "ended_at"):
            row[moment] = row[moment] and max(row[moment], row["created_at"])
        rows.append(row)
    failing = failing_results(lambda run_id, _: run_id.in_(list(states))) if states else []
    rows = [_judged(row) for row in _with_failures(rows, failing)]
    of_ended = set(ended)
    return rows, [
        row for row in [*_signed(failing, of_ended), *skipped] if row["test_id"] in of_ended
    ]


def _roll_up(run_ids: list[int]) -> list[int]:
    """Only what changes is written: a new row locks its run, which who reports results needs."""
    rows, failing, underivable = _derived_where_possible(run_ids)
    ended = {row["test_id"] for row in rows if row["ended_as"] is not None}
    existing = fetch_values(_EXISTING, {"ids": run_ids})
    _keep_open({run_id for run_id in existing if run_id not in ended}, run_ids, underivable)
    _replace(FailingResult, failing, _in_runs(_FAILINGS, run_ids))
    before = _in_runs(_ROLLUPS, run_ids)
    _replace(RunRollup, rows, before)
    gone = set(run_ids) - set(existing)  # their rows went with them
    return [*ended, *gone, *(row["test_id"] for row in before if row["ended_as"] is not None)]


def _derived_where_possible(run_ids: list[int]) -> tuple[list[Row], list[Row], set[int]]:
    """What `derived` gives, and the runs of which it gives nothing: something in their rows, which
    other programs write, is not what it can be."""
    try:
        return *derived(run_ids), set()
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it must not keep other runs
        if len(run_ids) == 1:
            log.warning("run_not_derived", run_id=run_ids[0], error=repr(error))
            return [], [], set(run_ids)
    rows: list[Row] = []
    failing: list[Row] = []
    underivable: set[int] = set()
    for run_id in run_ids:
        of_run, of_results, not_derived = _derived_where_possible([run_id])
        rows += of_run
        failing += of_results
        underivable |= not_derived
    return rows, failing, underivable


def _keep_open(still_open: set[int], run_ids: list[int], underivable: set[int]) -> None:
    """A run that nobody has stamped yet is not settled: no mark tells when somebody has. Neither is
    one that cannot be derived: nothing is kept of it.

    Row by row: new runs are inserted into this table by whoever makes them (see `settle._forget`).
    """
    known = {row.test_id: row.settled for row in fetch(_OPEN, {"ids": run_ids})}
    stamped = set(fetch_values(_STAMPED, {"ids": run_ids})) - underivable
    execute(_CLOSE, [{"run_id": run_id} for run_id in sorted(known.keys() - still_open)])
    _insert(
        OpenRun,
        [{"test_id": run_id, "settled": run_id in stamped} for run_id in still_open - known.keys()],
    )
    listed = sorted(still_open & known.keys())
    unsettled = [run_id for run_id in listed if run_id in stamped and not known[run_id]]
    execute(_SETTLE, [{"run_id": run_id} for run_id in unsettled])
    settled = [run_id for run_id in listed if run_id in underivable and known[run_id]]
    execute(_UNSETTLE, [{"run_id": run_id} for run_id in settled])


def _in_runs(statement: Any, run_ids: list[int]) -> list[Row]:
    return [row._asdict() for row in fetch(statement, {"ids": run_ids})]


def _replace(table: Any, wanted: list[Row], known: list[Row]) -> None:
    """Make what is known of some runs what is wanted."""
    keys = [column.name for column in table.__table__.primary_key]

    def by_key(rows: list[Row]) -> dict[tuple[int, ...], Row]:
        return {tuple(row[name] for name in keys): row for row in rows}

    old, new = by_key(known), by_key(wanted)
    gone = [key for key in old if key not in new]
    for batch in batches(gone, RUNS):
        _delete(table, tuple_(*(table.__table__.c[name] for name in keys)).in_(batch))
    changed = [row for key, row in new.items() if key in old and old[key] != row]
    if changed:
        db.session.connection().execute(
            _updating(table), [_as_changes(row, keys) for row in changed]
        )
    _insert(table, [row for key, row in new.items() if key not in old])


def _as_changes(row: Row, keys: Collection[str]) -> Row:
    return {f"of_{name}" if name in keys else name: value for name, value in row.items()}


@functools.cache
def _updating(table: Any) -> Any:
    """What writes all columns of rows that are there; it does not lock their runs."""
    columns = table.__table__.c
    keys = [column.name for column in table.__table__.primary_key]
    return (
        update(table.__table__)
        .where(*(columns[name] == bindparam(f"of_{name}") for name in keys))
        .values({c.name: bindparam(c.name) for c in columns if c.name not in keys})
    )


def _delete(table: Any, condition: ColumnElement[bool]) -> None:
    db.session.execute(delete(table).where(condition).execution_options(synchronize_session=False))


def _states(run_ids: Collection[int]) -> dict[int, Row]:
    """Where each of these runs is, by its progress."""
    return {row.id: _state(row) for row in fetch(_LAST, {"ids": list(run_ids)})}


def _state(row: Any) -> Row:
    ended_as = next((word for word in TestStatus if word == row.ended_as), None)
    running = RunStatus.queued if row.progress_id is None else RunStatus.running
    canceled = ended_as is TestStatus.canceled
    return {
        "status": running.value,  # of one that has ended the verdict says it
        "ended_as": ended_as,
        "started_at": row.started_at,
        "ended_at": row.latest_event_at if ended_as else None,
        "end_failure": end_failure(row.cause, row.message) if canceled else None,
        "progress_id": row.progress_id,
    }


def _skipped(run_ids: list[int]) -> list[Row]:
    """The tests of these runs' recorded sets that have no result."""
    rows = fetch(_SKIPPED, {"ids": run_ids})
    return [
        {
            "test_id": run_id,
            "regression_test_id": test,
            "status": SKIPPED,
            "errors": 0,
            **Failure()._asdict(),
        }
        for run_id, test in rows
    ]


def _recorded(run_ids: list[int]) -> set[int]:
    """Those of these runs that have a recorded set."""
    return set(fetch_values(_RECORDED, {"ids": run_ids}))


def failing_results(where: failures.Where) -> list[Row]:
    """The results that meet `where` and do not pass."""
    return [dict(row) for row in db.session.execute(failures.failing(where)).mappings()]


def _signed(failing: list[Row], run_ids: Collection[int]) -> list[Row]:
    """What does not pass in these runs, with how each failed."""
    rows = [row for row in failing if row["test_id"] in run_ids]
    failures_at: dict[Pair, Failure] = {}
    for batch in batches(rows, RUNS):
        words = {(row["test_id"], row["regression_test_id"]): row["status"] for row in batch}
        outputs = outputs_of(words)
        for result in results_at(words):
            failures_at[result.place] = failure_of(result, outputs[result.place])
    return [
        row | failures_at.get((row["test_id"], row["regression_test_id"]), Failure())._asdict()
        for row in rows
    ]


def results_of_definitions(regression_ids: Collection[int]) -> set[Pair]:
    """The results of rolled-up runs that depend on these regression tests' definitions."""
    rows = db.session.execute(
        select(Result.test_id, Result.regression_test_id)
        .join(RunRollup, RunRollup.test_id == Result.test_id)
        .where(Result.regression_test_id.in_(regression_ids))
    )
    return _pairs(rows)


def _pairs(rows: Iterable[Any]) -> set[Pair]:
    """Plain tuples: SQLAlchemy compares its rows slowly, and these are sorted."""
    return {(run_id, regression_id) for run_id, regression_id in rows}


def going_on(run_ids: Collection[int]) -> set[int]:
    """Those of these runs that are kept and have not ended."""
    found: set[int] = set()
    for batch in batches(run_ids, RUNS):
        found.update(fetch_values(_GOING_ON, {"ids": batch}))
    return found


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
        found |= _pairs(rows)
    return found


def derive_results(pairs: Collection[Pair]) -> list[int]:
    """Derive single results of ended runs anew, and what follows for their runs; those runs."""
    run_ids = sorted({run_id for run_id, _ in pairs})
    try:
        _derive_results(pairs)
    except SQLAlchemyError:
        raise
    except Exception:  # noqa: BLE001  some run cannot be derived: which one is found here
        roll_up(run_ids)
    return run_ids


def _derive_results(pairs: Collection[Pair]) -> None:
    runs_of: dict[int, list[int]] = defaultdict(list)
    for run_id, regression_id in sorted(pairs):
        runs_of[regression_id].append(run_id)
    for regression_id, run_ids in runs_of.items():
        for batch in batches(run_ids, RUNS):
            _derive_test(regression_id, batch)
    run_ids = sorted({run_id for run_id, _ in pairs})
    for batch in batches(run_ids, RUNS):
        _judge_again(batch)


def _derive_test(regression_id: int, run_ids: list[int]) -> None:
    """The results of one test in these runs."""
    failing = fetch(_FAILING_OF_TEST, {"ids": run_ids, "test": regression_id})
    of_results = and_(
        FailingResult.test_id.in_(run_ids),
        FailingResult.regression_test_id == regression_id,
        FailingResult.status != SKIPPED,  # of those there is no result to derive
    )
    _delete(FailingResult, of_results)
    _insert(FailingResult, _signed([row._asdict() for row in failing], run_ids))


def _judge_again(run_ids: list[int]) -> None:
    """Status and counts of rolled-up runs whose failing results have changed."""
    counts = {row.test_id: row for row in fetch(_COUNTS, {"ids": run_ids})}
    changed = []
    for kept in fetch(_ROLLUPS, {"ids": run_ids}):
        row = kept._asdict()
        of = counts.get(row["test_id"])
        judged = _judged(
            {
                **row,
                "failed": int(of.failed) if of else 0,
                "missing_output": int(of.missing_output) if of else 0,
                "errors": int(of.errors) if of else 0,
            }
        )
        if judged != row:
            changed.append(judged)
    replace_rows(RunRollup, ("status", "failed", "missing_output", "errors"), changed)


def _with_failures(rows: list[Row], failing: list[Row]) -> list[Row]:
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


def _judged(row: Row) -> Row:
    """A row with its run's status, by the rules of `mod_test.verdict`; a run that goes on keeps
    the one that it has."""
    if row["ended_as"] is None:
        return row
    failures = row["failed"] + row["missing_output"]
    results = [ResultStatus.fail] * min(1, failures)
    results += [ResultStatus.passed] * min(1, row["results"] - failures)
    status = run_status(
        row["ended_as"], waits=False, results=results, recorded_without_result=row["skipped"] > 0
    )
    return {**row, "status": status.value}


def _insert(table: Any, rows: list[Row]) -> None:
    if rows:
        db.session.execute(insert(table), rows)


def _of_test(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    return and_(run_id.in_(failures.IDS), regression_id == bindparam("test"))


def _number(status: ResultStatus) -> Any:
    return func.sum(case((FailingResult.status == status.value, 1), else_=0))


_Last = aliased(Progress)
# Compared by the database, as everywhere else: on MariaDB it finds these words in other letters,
# too.
_ENDED_AS = case(
    (_Last.status == TestStatus.completed, TestStatus.completed.value),
    (_Last.status == TestStatus.canceled, TestStatus.canceled.value),
)
_LAST = (
    select(
        Run.id,
        _Last.id.label("progress_id"),
        type_coerce(_ENDED_AS, String).label("ended_as"),
        latest_event_at().label("latest_event_at"),
        _Last.message,
        ProgressRecord.cause,
        taken_at().label("started_at"),
    )
    .select_from(Run)
    .outerjoin(_Last, and_(_Last.test_id == Run.id, _Last.id == last_progress_id()))
    .outerjoin(ProgressRecord, ProgressRecord.progress_id == _Last.id)
    .where(Run.id.in_(failures.IDS))
)
_SKIPPED = (
    select(CustomizedTest.test_id, CustomizedTest.regression_id)
    .distinct()
    .join(RegressionTest, RegressionTest.id == CustomizedTest.regression_id)
    .where(
        CustomizedTest.test_id.in_(failures.IDS),
        has_sample(),
        ~exists().where(
            Result.test_id == CustomizedTest.test_id,
            Result.regression_test_id == CustomizedTest.regression_id,
        ),
    )
)
_RECORDED = (
    select(CustomizedTest.test_id)
    .distinct()
    .where(CustomizedTest.test_id.in_(failures.IDS), CustomizedTest.regression_id.is_not(None))
)
# Composed once: an approval may concern thousands of runs.
_FAILING_OF_TEST = failures.failing(_of_test)
_GOING_ON = select(RunRollup.test_id).where(
    RunRollup.test_id.in_(failures.IDS), RunRollup.set_id.is_(None)
)
_EXISTING = select(Run.id).where(Run.id.in_(failures.IDS))
_STAMPED = select(RunRecord.test_id).where(RunRecord.test_id.in_(failures.IDS))
_OPEN = select(OpenRun.test_id, OpenRun.settled).where(OpenRun.test_id.in_(failures.IDS))
_CLOSE = (
    delete(OpenRun)
    .where(OpenRun.test_id == bindparam("run_id"))
    .execution_options(synchronize_session=False)
)
_SETTLE = (
    update(OpenRun)
    .where(OpenRun.test_id == bindparam("run_id"))
    .values(settled=True)
    .execution_options(synchronize_session=False)
)
_UNSETTLE = (
    update(OpenRun)
    .where(OpenRun.test_id == bindparam("run_id"))
    .values(settled=False)
    .execution_options(synchronize_session=False)
)
_FAILINGS = select(FailingResult.__table__).where(FailingResult.test_id.in_(failures.IDS))
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
