"""How a regression test went before: how long it took, and whether it passed, in ended runs."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from database import db, in_this_order
from mod_regression.models import RegressionTest
from mod_test import run_rows, verdict
from mod_test.models import Platform, Progress, Result, Run
from mod_test.rollup.kept import CONCERNED, IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.verdict import ResultStatus

BEFORE = 10  # how many results before it an entry's runtime is held against
NEWEST = 50  # how many results of a test its flakiness is made of
OF_SPAN, OF_TEST = 0, 1
SPAN = ("span_test", "span_platform", "span_first", "span_behind")

Timed = tuple[int, int]  # a run and a runtime
Span = tuple[int, Platform, int, int]


class Timeable(Protocol):
    """A result of a run; `since` is the run of the tenth result with a runtime before it."""

    @property
    def regression_id(self) -> int: ...
    @property
    def run_id(self) -> int: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def since(self) -> int: ...


@dataclass(frozen=True)
class Outcome:
    """Whether a test passed in an ended run."""

    commit_sha: str
    platform: Platform
    passed: bool


@dataclass(frozen=True)
class Past:
    """What there was: for each entry the runtimes (ms) of up to ten results before it, of the same
    test on the same platform, the newest first; and how each test ended in the newest 50 of its
    ended runs, the oldest of those first."""

    runtimes: list[list[int]] = field(default_factory=list)
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)


def past_of(entries: Sequence[Timeable]) -> Past:
    """What there was of these results' tests, in one statement."""
    if not entries:
        return Past()
    tests = sorted({entry.regression_id for entry in entries})
    spans = _spans(entries)
    params: dict[str, Any] = {f"newest_{place}": test for place, test in enumerate(tests)}
    for place, span in enumerate(spans):
        params |= {f"{name}_{place}": value for name, value in zip(SPAN, span, strict=True)}
    timed: dict[tuple[int, Platform], list[Timed]] = {}
    outcomes: dict[int, list[Outcome]] = {test: [] for test in tests}
    for row in db.session.execute(_statement(len(spans), len(tests)), params):
        if row.kind == OF_SPAN:
            of = timed.setdefault((row.regression_id, row.platform), [])
            of.append((row.run_id, row.runtime))
        else:
            passed = row.status == ResultStatus.passed.value
            outcomes[row.regression_id].insert(0, Outcome(row.commit.lower(), row.platform, passed))
    return Past([_before(entry, timed) for entry in entries], outcomes)


def since() -> Any:
    """The run of the tenth result with a runtime before the one of `Run` and `RegressionTest`."""
    earlier, run, kept = aliased(Result), aliased(Run), aliased(RunRollup)
    return (
        in_this_order(select(earlier.test_id))
        .select_from(earlier)
        .join(run, run.id == earlier.test_id)
        .outerjoin(kept, and_(kept.test_id == run.id, kept.test_id.not_in(CONCERNED)))
        .where(
            earlier.regression_test_id == RegressionTest.id,
            earlier.test_id < Run.id,
            earlier.runtime.is_not(None),
            run.platform == Run.platform,
            or_(kept.test_id.is_not(None), _has_ended(run.id)),
        )
        .order_by(earlier.test_id.desc())
        .limit(1)
        .offset(BEFORE - 1)
        .correlate(Run, RegressionTest)
        .scalar_subquery()
    )


@functools.lru_cache(maxsize=128)
def _statement(spans: int, tests: int) -> Select[Any]:
    newest = [_newest(place).subquery() for place in range(tests)]
    found = union_all(*(select(part) for part in newest), _timed(spans)).subquery("past")
    return select(found).order_by(found.c.run_id.desc())


def _timed(spans: int) -> Select[Any]:
    """The results in the spans that have a runtime."""
    in_spans = (
        and_(
            Result.regression_test_id == bindparam(f"span_test_{place}"),
            Run.platform == bindparam(f"span_platform_{place}"),
            Result.test_id >= bindparam(f"span_first_{place}"),
            Result.test_id < bindparam(f"span_behind_{place}"),
        )
        for place in range(spans)
    )
    return (
        select(
            literal(OF_SPAN, Integer),
            Result.regression_test_id,
            Run.platform,
            Result.test_id,
            Result.runtime,
            null(),
            null(),
        )
        .select_from(Result)
        .join(Run, Run.id == Result.test_id)
        .outerjoin(RunRollup, and_(RunRollup.test_id == Run.id, IS_KEPT))
        .where(
            or_(*in_spans),
            Result.runtime.is_not(None),
            or_(RunRollup.test_id.is_not(None), _has_ended(Run.id)),
        )
    )


def _newest(place: int) -> Select[Any]:
    """How one test ended in the newest of its ended runs."""
    is_kept = RunRollup.test_id.is_not(None)
    of_set = exists().where(
        RunSetMember.regression_test_id == Result.regression_test_id,
        RunSetMember.set_id == RunRollup.set_id,
    )
    passed = literal(ResultStatus.passed.value)
    status = case(
        (is_kept, func.coalesce(FailingResult.status, passed)), else_=verdict.status_of_result()
    )
    return (
        run_rows.joined(
            literal(OF_TEST, Integer).label("kind"),
            Result.regression_test_id.label("regression_id"),
            Run.platform.label("platform"),
            Result.test_id.label("run_id"),
            Result.runtime.label("runtime"),
            Run.commit.label("commit"),
            status.label("status"),
        )
        .join(Result, Result.test_id == Run.id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .outerjoin(
            FailingResult,
            and_(
                FailingResult.test_id == RunRollup.test_id,
                FailingResult.regression_test_id == Result.regression_test_id,
            ),
        )
        .where(
            Result.regression_test_id == bindparam(f"newest_{place}"),
            or_(
                and_(is_kept, of_set),
                and_(~is_kept, run_rows.has_ended(), verdict.in_set()),
            ),
        )
        .order_by(Result.test_id.desc())
        .limit(NEWEST)
    )


def _has_ended(run_id: Any) -> ColumnElement[bool]:
    """Whether a run has ended, where its last progress is not joined."""
    last = aliased(Progress)
    return exists().where(
        last.test_id == run_id,
        last.id == verdict.last_progress_id(run_id),
        last.status.in_(run_rows.ENDED),
    )


def _before(entry: Timeable, known: Mapping[tuple[int, Platform], Sequence[Timed]]) -> list[int]:
    timed = known.get((entry.regression_id, entry.platform), ())
    earlier = (runtime for run_id, runtime in timed if run_id < entry.run_id)
    return list(islice(earlier, BEFORE))


def _spans(entries: Sequence[Timeable]) -> list[Span]:
    """The runs to look through, by test and platform: from the first, up to and without the last.

    What overlaps is one span: a page without gaps needs one for each test and platform.
    """
    spans: list[Span] = []
    for entry in sorted(entries, key=lambda e: (e.regression_id, e.platform, e.since, e.run_id)):
        of = entry.regression_id, entry.platform
        if spans and spans[-1][:2] == of and entry.since <= spans[-1][3]:
            spans[-1] = (*of, spans[-1][2], max(spans[-1][3], entry.run_id))
        else:
            spans.append((*of, entry.since, entry.run_id))
    return spans
