"""What is kept of regression tests, whoever asks: which sets have them, how they ended of late."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
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
from mod_test.flakiness import NEWEST, figure_of
from mod_test.history.entries import TESTS, Ended
from mod_test.rollup import kept
from mod_test.rollup.kept import IS_KEPT, NONE
from mod_test.rollup.memory import remembered
from mod_test.rollup.tables import FailingResult, RunRollup, RunSetMember
from mod_test.verdict import ResultStatus

MORE = 30  # of so many runs marks may concern without asking anew
OF_SET, OF_TEST = 0, 1
PASSED = ResultStatus.passed.value


@dataclass(frozen=True)
class Facts:
    """What is kept of some tests: which of them a set has, falling; and how each of them ended in
    the newest runs that have a result of it, the newest first, some more than its flakiness is
    made of."""

    tests_of_set: dict[int, tuple[int, ...]] = field(default_factory=dict)
    newest: dict[int, tuple[Ended, ...]] = field(default_factory=dict)

    def without(self, run_ids: Collection[int]) -> "Facts | None":
        """The same without these runs; None where then there is less of a test than there was to
        be found."""
        if not any(ended.run_id in run_ids for of in self.newest.values() for ended in of):
            return self
        newest = {
            test: tuple(ended for ended in of if ended.run_id not in run_ids)
            for test, of in self.newest.items()
        }
        if any(len(of) < NEWEST <= len(self.newest[test]) for test, of in newest.items()):
            return None
        return Facts(self.tests_of_set, newest)

    @functools.cached_property
    def flakiness(self) -> dict[int, tuple[float, int]]:
        """How flaky each test is, and of how many results that is made."""
        return {test: figure_of(ended) for test, ended in self.newest.items()}


def facts_of(tests: tuple[int, ...]) -> Facts:
    """The facts of these tests, in one statement unless they are remembered."""
    if not tests:
        return Facts()
    known = kept.known()
    whole = remembered(
        known, ("tests", tests), functools.partial(_facts_of, tests, NONE), also_marked=True
    )
    facts = whole.without(known.concerned)
    return facts if facts is not None else _facts_of(tests, known.concerned)


def _facts_of(tests: tuple[int, ...], concerned: Sequence[int]) -> Facts:
    params: dict[str, Any] = {"tests": list(tests), "concerned_runs": concerned}
    params |= {f"of_test_{place}": test for place, test in enumerate(tests)}
    sets: dict[int, list[int]] = {}
    newest: dict[int, list[Ended]] = {test: [] for test in tests}
    for kind, key, test, platform, commit, status in fetch(_facts(len(tests)), params):
        if kind == OF_SET:
            sets.setdefault(key, []).append(test)
        else:
            newest[test].append(Ended(key, commit, platform, status == PASSED))
    return Facts(
        {set_id: tuple(sorted(ids, reverse=True)) for set_id, ids in sets.items()},
        {test: tuple(sorted(ended, reverse=True)) for test, ended in newest.items()},
    )


@functools.cache
def _facts(tests: int) -> CompoundSelect[Any]:
    nothing = null()
    sets = select(
        literal(OF_SET, Integer).label("kind"),
        RunSetMember.set_id.label("key"),
        RunSetMember.regression_test_id.label("test"),
        nothing.label("platform"),
        nothing.label("commit"),
        nothing.label("status"),
    ).where(RunSetMember.regression_test_id.in_(TESTS))
    parts = [select(_newest(place).subquery()) for place in range(tests)]
    # The types of the columns are those of the first part.
    return union_all(*parts, sets)


def _newest(place: int) -> Select[Any]:
    test: Any = bindparam(f"of_test_{place}")
    status = func.coalesce(FailingResult.status, literal(PASSED))
    return in_this_order(
        select(
            literal(OF_TEST, Integer).label("kind"),
            RunRollup.test_id.label("key"),
            RunSetMember.regression_test_id.label("test"),
            RunRollup.platform.label("platform"),
            RunRollup.commit_sha.label("commit"),
            status.label("status"),
        )
        .select_from(RunRollup)
        .join(
            RunSetMember,
            and_(
                RunSetMember.set_id == RunRollup.set_id,
                RunSetMember.regression_test_id == test,
            ),
        )
        .outerjoin(FailingResult, _is_failing(test))
        .where(IS_KEPT, status != ResultStatus.skipped.value)
        .order_by(RunRollup.test_id.desc())
        .limit(NEWEST + MORE)
    )


def _is_failing(test: Any) -> ColumnElement[bool]:
    return and_(
        FailingResult.test_id == RunRollup.test_id, FailingResult.regression_test_id == test
    )
