"""How a regression test went before: how long it took, and whether it passed, in ended runs.

Of kept runs it is read test by test along the indexes; the others, few, are derived.
"""

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import (
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal,
    null,
    select,
    union_all,
)

from database import fetch, in_this_order
from mod_regression.models import RegressionTest
from mod_test import run_rows, verdict
from mod_test.models import Platform, Result, Run
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.verdict import ResultStatus

BEFORE = 10  # how many results before it an entry's runtime is held against
NEWEST = 50  # how many results of a test its flakiness is made of
NEAR = 40  # entries whose runs are as near as this are looked up as one span
OF_SPAN, OF_TEST, OF_OTHER_RUN = 0, 1, 2
SPAN = ("span_test", "span_platform", "span_behind", "span_most")

TESTS: Any = bindparam("tests", expanding=True)
Of = tuple[int, Platform]  # a regression test on a platform
Span = tuple[int, Platform, int, int]


class Timeable(Protocol):
    """A result of a run."""

    @property
    def regression_id(self) -> int: ...
    @property
    def run_id(self) -> int: ...
    @property
    def platform(self) -> Platform: ...


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
    params: dict[str, Any] = {"tests": tests}
    params |= {f"newest_{place}": test for place, test in enumerate(tests)}
    for place, span in enumerate(spans):
        params |= {f"{name}_{place}": value for name, value in zip(SPAN, span, strict=True)}
    timed: dict[Of, dict[int, int]] = defaultdict(dict)
    outcomes: dict[int, list[Outcome]] = {test: [] for test in tests}
    for row in fetch(_statement(len(spans), len(tests)), params):
        if row.runtime is not None:
            timed[row.regression_id, row.platform][row.run_id] = row.runtime
        of_test = outcomes[row.regression_id]
        if row.kind != OF_SPAN and len(of_test) < NEWEST:
            passed = row.status == ResultStatus.passed.value
            of_test.append(Outcome(row.commit.lower(), row.platform, passed))
    oldest_first = {test: of_test[::-1] for test, of_test in outcomes.items()}
    return Past([_before(entry, timed) for entry in entries], oldest_first)


@functools.lru_cache(maxsize=256)
def _statement(spans: int, tests: int) -> Select[Any]:
    kept = [_newest(place) for place in range(tests)] + [_timed(place) for place in range(spans)]
    found = union_all(_of_other_runs(), *(select(part.subquery()) for part in kept)).subquery(
        "past"
    )
    return select(found).order_by(found.c.run_id.desc())


def _timed(place: int) -> Select[Any]:
    """The results of one test on one platform before a run that have a runtime, in kept runs."""
    return in_this_order(
        select(
            literal(OF_SPAN, Integer).label("kind"),
            Result.regression_test_id.label("regression_id"),
            RunRollup.platform.label("platform"),
            Result.test_id.label("run_id"),
            Result.runtime.label("runtime"),
            null().label("commit"),
            null().label("status"),
        )
        .select_from(Result)
        .join(RunRollup, RunRollup.test_id == Result.test_id)
        .join(
            RunSetMember,
            and_(
                RunSetMember.set_id == RunRollup.set_id,
                RunSetMember.regression_test_id == Result.regression_test_id,
            ),
        )
        .where(
            Result.regression_test_id == bindparam(f"span_test_{place}"),
            Result.test_id < bindparam(f"span_behind_{place}"),
            Result.runtime.is_not(None),
            RunRollup.platform == bindparam(f"span_platform_{place}"),
            IS_KEPT,
        )
        .order_by(Result.test_id.desc())
        .limit(bindparam(f"span_most_{place}", type_=Integer))
    )


def _newest(place: int) -> Select[Any]:
    """How one test ended in the newest kept runs that have a result of it."""
    test: Any = bindparam(f"newest_{place}")
    has_test = and_(
        RunSetMember.set_id == RunRollup.set_id, RunSetMember.regression_test_id == test
    )
    is_failing = and_(
        FailingResult.test_id == RunRollup.test_id, FailingResult.regression_test_id == test
    )
    status = func.coalesce(FailingResult.status, literal(ResultStatus.passed.value))
    return in_this_order(
        select(
            literal(OF_TEST, Integer).label("kind"),
            RunSetMember.regression_test_id.label("regression_id"),
            RunRollup.platform.label("platform"),
            RunRollup.test_id.label("run_id"),
            null().label("runtime"),
            RunRollup.commit_sha.label("commit"),
            status.label("status"),
        )
        .select_from(RunRollup)
        .join(RunSetMember, has_test)
        .outerjoin(FailingResult, is_failing)
        .where(IS_KEPT, status != ResultStatus.skipped.value)
        .order_by(RunRollup.test_id.desc())
        .limit(NEWEST)
    )


def _of_other_runs() -> Select[Any]:
    """How the tests ended in the other ended runs, and how long they took."""
    return (
        run_rows.pending(
            literal(OF_OTHER_RUN, Integer).label("kind"),
            Result.regression_test_id.label("regression_id"),
            Run.platform.label("platform"),
            Run.id.label("run_id"),
            Result.runtime.label("runtime"),
            Run.commit.label("commit"),
            verdict.status_of_result().label("status"),
        )
        .join(Result, and_(Result.test_id == Run.id, Result.regression_test_id.in_(TESTS)))
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(run_rows.has_ended(), verdict.in_set())
    )


def _before(entry: Timeable, timed: Mapping[Of, Mapping[int, int]]) -> list[int]:
    known = timed.get((entry.regression_id, entry.platform), {})
    runs = sorted((run_id for run_id in known if run_id < entry.run_id), reverse=True)
    return [known[run_id] for run_id in runs[:BEFORE]]


def _spans(entries: Sequence[Timeable]) -> list[Span]:
    """What to look up: a test, a platform, the run to begin before, and how many results at most:
    as many as there can be down to the last near entry, and ten more."""
    spans: list[Span] = []
    first = last = 0
    for entry in sorted(entries, key=lambda e: (e.regression_id, e.platform, -e.run_id)):
        of = entry.regression_id, entry.platform
        if spans and spans[-1][:2] == of and last - entry.run_id <= NEAR:
            last = entry.run_id
            spans[-1] = (*of, first, first - last + BEFORE)
        else:
            first = last = entry.run_id
            spans.append((*of, first, BEFORE))
    return spans
