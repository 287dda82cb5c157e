"""How long results took, and how long those before them: of kept runs.

Each entry is held against up to ten results before it, of the same test on the same platform. Which
runs those are is known of the sets of runs; what is asked of the database is an index of runtimes.
"""

import functools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import (
    CompoundSelect,
    Integer,
    Select,
    bindparam,
    literal,
    null,
    select,
    union_all,
)

from database import by_index, fetch, in_this_order
from database.spans import Span, joined, padded, spans_as_params, within
from mod_test.history.entries import TESTS, Place
from mod_test.models import Platform, Result
from mod_test.rollup.kept import IS_KEPT
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.signatures import Failure

BEFORE = 10  # how many results before it an entry's runtime is held against
BACK = 36  # so many runs before an entry's mostly have ten results of its test and platform
SPARE = 3  # some runs have no result of a test of their set
OF_RESULT, OF_FAILURE = 0, 1
RUNS: Any = bindparam("runs", expanding=True)
Of = tuple[int, Platform]  # a regression test on a platform


class LeanRun(Protocol):
    """What runtimes ask of a kept run that has ended."""

    @property
    def run_id(self) -> int: ...
    @property
    def set_id(self) -> int: ...
    @property
    def platform(self) -> Platform: ...


@dataclass
class Runtimes:
    """Runtimes in ms by test, platform and run."""

    known: dict[Of, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    _runs: dict[Of, list[int]] = field(default_factory=dict)

    def of(self, test: int, platform: Platform, run_id: int) -> int | None:
        """Return how long a result took; None without one, or where it was not noted."""
        return self.known[test, platform].get(run_id)

    def before(self, test: int, platform: Platform, run_id: int) -> list[int]:
        """The runtimes of up to ten results before a run, the newest first."""
        of = test, platform
        known = self.known[of]
        runs = self._runs.get(of)
        if runs is None or len(runs) != len(known):
            runs = self._runs[of] = sorted(known)
        end = bisect_left(runs, run_id)
        return [known[each] for each in reversed(runs[max(0, end - BEFORE) : end])]


@dataclass
class Told:
    """Runtimes, and what did not pass: its status and how it failed by run and test."""

    runtimes: Runtimes = field(default_factory=Runtimes)
    failures: dict[Place, tuple[str, Failure]] = field(default_factory=dict)


def look_up(
    wanted: Mapping[Of, Collection[int]],
    shown: Collection[Place],
    runs: Mapping[int, LeanRun],
    tests_of_set: Mapping[int, Collection[int]],
    *,
    are_all: bool,
) -> Told:
    """The runtimes of these runs' results and of up to ten before each; and what did not pass of
    the places that are `shown`.

    `runs` are those up to `BACK` before each one that is wanted, or all that there are (`are_all`).
    """
    told = Told()
    spans: dict[int, list[Span]] = defaultdict(list)
    doubtful: list[tuple[Of, int]] = []
    for of, run_ids in wanted.items():
        test, platform = of
        having = _having(test, platform, runs, tests_of_set)
        for run_id in run_ids:
            end = bisect_left(having, run_id)
            known_from = 0 if are_all else bisect_left(having, run_id - BACK)
            near = having[max(0, end - BEFORE - SPARE, known_from) : end]
            spans[test].append((near[0] if near else run_id, run_id))
            # Where all runs are known and there are no more of them, there are no more results.
            if len(near) == BEFORE + SPARE or not are_all:
                doubtful.append((of, run_id))
    has_test = {test: _sets_with(test, tests_of_set) for test in spans}
    rows = _asked({test: joined(some) for test, some in spans.items()}, shown)
    for kind, test, run_id, value, status, *failure in rows:
        run = runs.get(run_id)
        if kind == OF_FAILURE:
            told.failures[run_id, test] = status, Failure(*failure)
        elif value is not None and run is not None and run.set_id in has_test[test]:
            told.runtimes.known[test, run.platform][run_id] = value
    _look_further(told.runtimes, doubtful)
    return told


def runs_before(run_ids: Iterable[int]) -> dict[int, LeanRun]:
    """The kept runs that have ended up to `BACK` before each of these, and they themselves."""
    spans = joined((run_id - BACK, run_id) for run_id in run_ids)
    if not spans:
        return {}
    rows = fetch(_runs_within(padded(len(spans))), spans_as_params("span", spans))
    return {row.run_id: row for row in rows}


@functools.cache
def _runs_within(spans: int) -> Select[Any]:
    lean = RunRollup.test_id.label("run_id"), RunRollup.set_id, RunRollup.platform
    runs = select(*lean).where(
        RunRollup.set_id.is_not(None), IS_KEPT, within(RunRollup.test_id, "span", spans)
    )
    return by_index(runs, RunRollup, "PRIMARY")


def _having(
    test: int,
    platform: Platform,
    runs: Mapping[int, LeanRun],
    tests_of_set: Mapping[int, Collection[int]],
) -> list[int]:
    """The known runs that have a test in their set, on a platform, rising."""
    sets = _sets_with(test, tests_of_set)
    return sorted(
        run.run_id for run in runs.values() if run.set_id in sets and run.platform is platform
    )


def _sets_with(test: int, tests_of_set: Mapping[int, Collection[int]]) -> set[int]:
    return {set_id for set_id, tests in tests_of_set.items() if test in tests}


def _asked(spans: Mapping[int, tuple[Span, ...]], shown: Collection[Place]) -> Sequence[Any]:
    """The runtimes of tests in spans of runs, and what did not pass of what is shown."""
    groups: dict[tuple[Span, ...], list[int]] = defaultdict(list)
    for test, some in spans.items():
        groups[some].append(test)
    params: dict[str, Any] = {}
    for place, (some, tests) in enumerate(groups.items()):
        params |= {f"tests_{place}": tests, **spans_as_params(f"group_{place}", some)}
    of_shown = joined((run_id, run_id) for run_id, _ in shown)
    if of_shown:
        params |= {"tests": list(spans), **spans_as_params("shown", of_shown)}
    shape = tuple(padded(len(some)) for some in groups)
    if not shape and not of_shown:
        return []
    return fetch(_looking_up(shape, padded(len(of_shown)) if of_shown else 0), params)


@functools.lru_cache(maxsize=512)
def _looking_up(groups: tuple[int, ...], shown: int) -> CompoundSelect[Any] | Select[Any]:
    parts: list[Select[Any]] = []
    for place, spans in enumerate(groups):
        results = select(
            literal(OF_RESULT, Integer).label("kind"),
            Result.regression_test_id,
            Result.test_id,
            Result.runtime,
            null().label("status"),
            null().label("signature"),
            null().label("content"),
        ).where(
            Result.regression_test_id.in_(bindparam(f"tests_{place}", expanding=True)),
            within(Result.test_id, f"group_{place}", spans),
        )
        parts.append(by_index(results, Result, "ix_test_result_runtime"))
    if shown:
        parts.append(
            select(
                literal(OF_FAILURE, Integer),
                FailingResult.regression_test_id,
                FailingResult.test_id,
                null(),
                FailingResult.status,
                FailingResult.signature,
                FailingResult.content,
            ).where(
                within(FailingResult.test_id, "shown", shown),
                FailingResult.regression_test_id.in_(TESTS),
            )
        )
    return union_all(*parts) if len(parts) > 1 else parts[0]


def _look_further(runtimes: Runtimes, doubtful: Sequence[tuple[Of, int]]) -> None:
    """Ask for the results before runs where there may be more than those that were found near."""
    lacking = [
        (of, run_id)
        for of, run_id in doubtful
        if run_id - BACK > 1 and len(runtimes.before(*of, run_id)) < BEFORE
    ]
    if not lacking:
        return
    params: dict[str, Any] = {}
    for place, ((test, platform), run_id) in enumerate(lacking):
        params |= {f"test_{place}": test, f"platform_{place}": platform, f"run_{place}": run_id}
    for test, run_id, platform, runtime in fetch(_looking_further(len(lacking)), params):
        runtimes.known[test, platform][run_id] = runtime


@functools.lru_cache(maxsize=256)
def _looking_further(count: int) -> CompoundSelect[Any] | Select[Any]:
    parts = [select(_far_back(place).subquery()) for place in range(count)]
    return union_all(*parts) if count > 1 else parts[0]


def _far_back(place: int) -> Select[Any]:
    """The ten results of a test on a platform before a run, however far back they are."""
    return in_this_order(
        select(Result.regression_test_id, Result.test_id, RunRollup.platform, Result.runtime)
        .select_from(Result)
        .join(RunRollup, RunRollup.test_id == Result.test_id)
        .join(
            RunSetMember,
            (RunSetMember.set_id == RunRollup.set_id)
            & (RunSetMember.regression_test_id == Result.regression_test_id),
        )
        .where(
            Result.regression_test_id == bindparam(f"test_{place}"),
            Result.test_id < bindparam(f"run_{place}"),
            Result.runtime.is_not(None),
            RunRollup.platform == bindparam(f"platform_{place}"),
            IS_KEPT,
        )
        .order_by(Result.test_id.desc())
        .limit(BEFORE)
    )
