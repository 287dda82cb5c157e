"""The history of a sample: its regression tests in every ended run that had them in its set."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Select, and_, bindparam, exists, false, or_, select, true, union_all
from sqlalchemy.orm import aliased

from database import db
from mod_regression.models import RegressionTest
from mod_test import result_rows, run_rows, verdict
from mod_test.models import CustomizedTest, Platform, Progress, Result, ResultRecord, Run, RunRecord
from mod_test.result_rows import ResultRow
from mod_test.run_rows import RunFilter
from mod_test.verdict import ResultStatus, RunStatus

Timed = tuple[int, int]  # a run and a runtime

BEFORE = 10  # how many results before it an entry's runtime is held against
OF_RUNS = ("branch", "platform", "created_after", "created_before")
NEWEST = 50  # how many results of a test its flakiness is made of


@dataclass(frozen=True)
class HistoryFilter:
    """Which entries are meant; `runs` speaks of the run, the others of the entry itself."""

    runs: RunFilter
    result_status: ResultStatus | None = None
    regression_id: int | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name; not the run's status, which is composed in."""
        given = {name: getattr(self.runs, name) for name in OF_RUNS}
        given |= {"result_status": self.result_status, "regression_id": self.regression_id}
        return {f"of_{name}": value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """One regression test in one ended run. `since` is the run of the tenth result with a runtime
    before it, on the same platform; 0 where there are fewer."""

    result: ResultRow
    created_at: datetime
    commit_sha: str
    branch: str | None
    platform: Platform
    since: int


@dataclass(frozen=True)
class Outcome:
    """Whether a test passed in an ended run."""

    commit_sha: str
    platform: Platform
    passed: bool


def entries(sample_id: int, wanted: HistoryFilter) -> tuple[Select[Any], dict[str, Any]]:
    """The entries that are `wanted`, in no order, which `as_entry` reads: a statement, which is
    composed once for each choice of filters, and its parameters.

    A test that a run should have executed and did not is among them, as skipped.
    """
    statement = _entries(wanted.runs.status, frozenset(wanted.params))
    return statement, {"of_sample": sample_id, **wanted.params}


@functools.cache
def _entries(run_status: RunStatus | None, given: frozenset[str]) -> Select[Any]:
    status = verdict.status_in_run(true(), false())
    of_runs: dict[str, Any] = {
        name: bindparam(f"of_{name}") for name in OF_RUNS if f"of_{name}" in given
    }
    statement = (
        run_rows.joined(
            *result_rows.columns(status, Run.id),
            RunRecord.created_at,
            Run.commit,
            Run.branch,
            Run.platform,
            _since().label("since"),
        )
        .join(RegressionTest, RegressionTest.sample_id == bindparam("of_sample"))
        .outerjoin(
            Result,
            and_(Result.test_id == Run.id, Result.regression_test_id == RegressionTest.id),
        )
        .outerjoin(ResultRecord, result_rows.is_record())
        .where(
            run_rows.has_ended(),
            or_(
                and_(Result.test_id.is_not(None), verdict.in_set()),
                and_(Result.test_id.is_(None), _is_recorded()),
            ),
            *RunFilter(status=run_status, **of_runs).conditions(),
        )
    )
    if "of_result_status" in given:
        statement = statement.where(status == bindparam("of_result_status"))
    if "of_regression_id" in given:
        statement = statement.where(RegressionTest.id == bindparam("of_regression_id"))
    return statement


def as_entry(row: Any) -> Entry:
    """A row of `entries`."""
    return Entry(
        result=result_rows.as_result(row),
        created_at=row.created_at,
        commit_sha=row.commit.lower(),
        branch=row.branch or None,
        platform=row.platform,
        since=row.since or 0,
    )


def runtimes_before(found: Sequence[Entry]) -> list[list[int]]:
    """For each entry the runtimes (ms) of up to ten results before it: the same test on the same
    platform in ended runs, the newest first. In one statement."""
    spans = _spans(found)
    if not spans:
        return [[] for _ in found]
    params: dict[str, Any] = {}
    for place, span in enumerate(spans):
        names = (f"{name}_{place}" for name in ("test", "platform", "first", "behind"))
        params |= dict(zip(names, span, strict=True))
    rows = db.session.execute(_timed(len(spans)), params)
    known: dict[tuple[int, Platform], list[Timed]] = {}
    for regression_id, platform, run_id, runtime in rows:
        known.setdefault((regression_id, platform), []).append((run_id, runtime))
    return [_before(entry, known) for entry in found]


@functools.lru_cache(maxsize=128)
def _timed(spans: int) -> Select[Any]:
    return (
        select(Result.regression_test_id, Run.platform, Result.test_id, Result.runtime)
        .join(Run, Run.id == Result.test_id)
        .where(
            Result.runtime.is_not(None),
            _ended(Run.id),
            or_(
                *(
                    and_(
                        Result.regression_test_id == bindparam(f"test_{place}"),
                        Run.platform == bindparam(f"platform_{place}"),
                        Result.test_id >= bindparam(f"first_{place}"),
                        Result.test_id < bindparam(f"behind_{place}"),
                    )
                    for place in range(spans)
                )
            ),
        )
        .order_by(Result.test_id.desc())
    )


def _before(entry: Entry, known: Mapping[tuple[int, Platform], Sequence[Timed]]) -> list[int]:
    timed = known.get((entry.result.regression_id, entry.platform), ())
    earlier = (runtime for run_id, runtime in timed if run_id < entry.result.run_id)
    return list(islice(earlier, BEFORE))


def newest_outcomes(regression_ids: Sequence[int]) -> dict[int, list[Outcome]]:
    """Of each test how it ended in the newest of its ended runs, the oldest of those first, in one
    statement."""
    found: dict[int, list[Outcome]] = {regression_id: [] for regression_id in regression_ids}
    if not found:
        return found
    params = {f"test_{place}": regression_id for place, regression_id in enumerate(found)}
    for row in db.session.execute(_newest(len(found)), params):
        outcome = Outcome(row.commit.lower(), row.platform, row.status == ResultStatus.passed)
        found[row.regression_id].append(outcome)
    return found


@functools.lru_cache(maxsize=128)
def _newest(tests: int) -> Select[Any]:
    branches = [_newest_of(bindparam(f"test_{place}")).subquery() for place in range(tests)]
    every = union_all(*(select(branch) for branch in branches)).subquery("newest")
    return select(every).order_by(every.c.test_id)


def _newest_of(regression_id: Any) -> Select[Any]:
    return (
        run_rows.joined(
            Run.id.label("test_id"),
            RegressionTest.id.label("regression_id"),
            Run.commit,
            Run.platform,
            verdict.status_of_result().label("status"),
        )
        .join(Result, Result.test_id == Run.id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.regression_test_id == regression_id, run_rows.has_ended(), verdict.in_set())
        .order_by(Result.test_id.desc())
        .limit(NEWEST)
    )


def _since() -> Any:
    """The run of the tenth result with a runtime before the one of `Run` and `RegressionTest`."""
    earlier, run = aliased(Result), aliased(Run)
    return (
        select(earlier.test_id)
        .join(run, run.id == earlier.test_id)
        .where(
            earlier.regression_test_id == RegressionTest.id,
            earlier.test_id < Run.id,
            earlier.runtime.is_not(None),
            run.platform == Run.platform,
            _ended(run.id),
        )
        .order_by(earlier.test_id.desc())
        .limit(1)
        .offset(BEFORE - 1)
        .correlate(Run, RegressionTest)
        .scalar_subquery()
    )


def _ended(run_id: Any) -> Any:
    """Whether a run has ended, where its last progress is not joined."""
    last = aliased(Progress)
    return exists().where(
        last.test_id == run_id,
        last.id == verdict.last_progress_id(run_id),
        last.status.in_(run_rows.ENDED),
    )


def _is_recorded() -> Any:
    return exists().where(
        CustomizedTest.test_id == Run.id, CustomizedTest.regression_id == RegressionTest.id
    )


def _spans(found: Sequence[Entry]) -> list[tuple[int, Platform, int, int]]:
    """The runs to look through, by test and platform: from the first, up to and without the last.

    What overlaps is one span: a page without gaps needs one for each test and platform.
    """
    spans: list[tuple[int, Platform, int, int]] = []
    for entry in sorted(
        found, key=lambda e: (e.result.regression_id, e.platform, e.since, e.result.run_id)
    ):
        of = entry.result.regression_id, entry.platform
        if spans and spans[-1][:2] == of and entry.since <= spans[-1][3]:
            spans[-1] = (*of, spans[-1][2], max(spans[-1][3], entry.result.run_id))
        else:
            spans.append((*of, entry.since, entry.result.run_id))
    return spans
