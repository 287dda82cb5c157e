"""What a history is made of, and which entries are meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam

from database import NO_ID
from mod_test import catalogue
from mod_test.models import Platform
from mod_test.run_filters import RunFilter
from mod_test.signatures import Failure
from mod_test.verdict import ResultStatus

TESTS: Any = bindparam("tests", expanding=True)
STATUS: Any = bindparam("of_result_status")
Place = tuple[int, int]  # a run and a regression test, by which entries are sorted, both falling


@dataclass(frozen=True)
class HistoryFilter:
    """Which entries are meant; `runs` speaks of the run, the others of the entry itself."""

    runs: RunFilter
    result_status: ResultStatus | None = None
    regression_id: int | None = None


@dataclass(slots=True)
class Entry:
    """One regression test in one ended run; times in milliseconds.

    `usual_ms` is the median of up to ten results before it, of the same test on the same platform.
    """

    run_id: int
    regression_id: int
    created_at: datetime
    commit_sha: str
    branch: str | None
    platform: Platform
    status: str
    runtime_ms: int | None
    failure: Failure
    usual_ms: float | None = None

    @property
    def place(self) -> Place:
        return self.run_id, self.regression_id


class Ended(NamedTuple):
    """How a test ended in a run that has a result of it."""

    run_id: int
    commit_sha: str
    platform: Platform
    passed: bool


@dataclass(frozen=True)
class Asked:
    """Which entries of a sample are asked for: of these tests, and at most `most` of them from
    `skipped` on, or behind the one at `behind`."""

    wanted: HistoryFilter
    tests: tuple[int, ...]
    most: int
    skipped: int = 0
    behind: Place | None = None

    @property
    def reach(self) -> int:
        """Return how many entries there must be up to the last one."""
        return self.skipped + self.most

    @property
    def given(self) -> frozenset[str]:
        return frozenset(self.wanted.runs.params)

    @property
    def params(self) -> Mapping[str, Any]:
        """What the statements of a history are given."""
        params: dict[str, Any] = {**self.wanted.runs.params, "tests": list(self.tests) or [NO_ID]}
        if self.wanted.result_status is not None:
            params["of_result_status"] = self.wanted.result_status.value
        return params | {"reach": self.reach}

    def is_behind(self, place: Place) -> bool:
        """Return whether an entry at this place may be on the page."""
        return self.behind is None or place < self.behind


def tests_of(sample_id: int) -> tuple[int, ...]:
    """The regression tests of a sample, by id."""
    return catalogue.tests_of_samples().get(sample_id, ())
