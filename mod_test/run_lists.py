"""Lists of runs: the kept ones by their indexes, the rest derived, as one."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, not_, select

from database import by_index, fetch_value
from mod_test import run_filters, run_rows
from mod_test.models import Run, RunRecord
from mod_test.rollup import kept
from mod_test.rollup.kept import CONCERNED, IS_KEPT
from mod_test.rollup.memory import remembered
from mod_test.rollup.tables import RunRollup
from mod_test.verdict import RunStatus, lease_ran_out


@dataclass(frozen=True)
class Sort:
    """One order of the list of runs.

    `kept` is its column of `run_rollup`, which needs an index that begins with it; `derived` is the
    same for runs that are not rolled up. `indexes` names the index by which MariaDB reads rolled-up
    runs: that of the first filter that is given, else that of None, else the database chooses.
    """

    kept: Any
    derived: Any
    nullable: bool
    indexes: Mapping[str | None, str]

    def __post_init__(self) -> None:
        table = cast("Table", RunRollup.__table__)
        column = self.kept.key
        indexed = {table.primary_key.columns.keys()[0]}
        indexed |= {index.columns.keys()[0] for index in table.indexes}
        if column not in indexed:
            raise LookupError(f"A sort needs an index of run_rollup that begins with {column}.")
        unknown = set(self.indexes.values()) - {index.name for index in table.indexes}
        if unknown:
            raise LookupError(f"run_rollup has no index {', '.join(sorted(unknown))}.")


# The only table of sorts: the schema, the cursors and the tests follow from it.
SORTS: dict[str, Sort] = {
    "created_at": Sort(
        kept=RunRollup.created_at,
        derived=RunRecord.created_at,
        nullable=False,
        indexes={
            "of_run_commit_sha": "ix_run_rollup_commit",
            "of_run_pull_request": "ix_run_rollup_pull_request",
            "of_run_branch": "ix_run_rollup_branch",
            "of_run_repository": "ix_run_rollup_fork",
            "of_run_status": "ix_run_rollup_status",
            "of_run_platform": "ix_run_rollup_platform",
            None: "ix_run_rollup_created",
        },
    ),
    "started_at": Sort(
        kept=RunRollup.started_at, derived=run_rows.started_at(), nullable=True, indexes={}
    ),
    "run_id": Sort(
        kept=RunRollup.test_id,
        derived=Run.id,
        nullable=False,
        indexes={
            "of_run_commit_sha": "ix_run_rollup_commit",
            "of_run_pull_request": "ix_run_rollup_pull_request",
            "of_run_branch": "ix_run_rollup_of_branch",
        },
    ),
}
_LIVE = (RunStatus.queued, RunStatus.running)
_RAN_OUT = lease_ran_out(RunRollup.progress_id)


def kept_sources(
    given: frozenset[str], sort: str, *, status: RunStatus | None, forks: int
) -> list[Select[Any]]:
    """The kept runs that are meant, by `run_id`, where the filter has these parameters: statements
    that share no run. `forks`: how many repositories are asked for."""
    sources = _rolled_up(given, status=status, forks=forks)
    return [_by_index(source.where(IS_KEPT), given, sort) for source in sources]


def _rolled_up(given: frozenset[str], *, status: RunStatus | None, forks: int) -> list[Select[Any]]:
    """The same of all runs that are rolled up, whether marks concern them or not."""
    sources = [_of_status(*part) for part in _by_status(status)]
    if "of_run_repository" in given:
        sources = [
            source.where(RunRollup.fork_id == bindparam(f"of_run_fork_{place}"))
            for source in sources
            for place in range(max(1, forks))
        ]
    conditions = run_filters.of_kept(given - {"of_run_status", "of_run_repository"})
    return [source.where(*conditions) for source in sources]


def _by_status(status: RunStatus | None) -> list[tuple[RunStatus | None, bool | None]]:
    """Which statuses are kept of runs that have `status`, and whether their lease has run out."""
    if status is RunStatus.queued:
        return [(RunStatus.queued, None), (RunStatus.running, True)]
    return [(status, False if status is RunStatus.running else None)]


def _of_status(kept_as: RunStatus | None, ran_out: bool | None) -> Select[Any]:
    runs = select(RunRollup.test_id.label("run_id")).select_from(RunRollup)
    if kept_as is not None:
        runs = runs.where(RunRollup.status == kept_as.value)
    if ran_out is not None:
        runs = runs.join(RunRecord, RunRecord.test_id == RunRollup.test_id)
        runs = runs.where(_RAN_OUT if ran_out else not_(_RAN_OUT))
    return runs


def _by_index(source: Select[Any], given: frozenset[str], sort: str) -> Select[Any]:
    indexes = SORTS[sort].indexes
    name = next((indexes[each] for each in indexes if each in given), indexes.get(None))
    return source if name is None else by_index(source, RunRollup, name)


def other_runs(given: frozenset[str]) -> Select[Any]:
    """The same of the other runs that are meant. What is derived of them costs much: of those that
    are on no page it is not selected."""
    found = run_rows.pending(Run.id.label("run_id"))
    return found.where(*run_filters.of_derived(given))


def total(
    given: frozenset[str], params: Mapping[str, Any], *, status: RunStatus | None, forks: int
) -> int:
    """Return how many runs are meant.

    All that are rolled up are counted once for each version of them; of these, those that marks
    concern are few, and counted otherwise.
    """
    marks = kept.known()
    asked = tuple((name, str(value)) for name, value in sorted(params.items()))

    def count() -> int:
        return int(fetch_value(_counting(given, status, forks), params))

    # Of runs that go on, a lease runs out by itself.
    is_lasting = status not in _LIVE
    whole = remembered(marks, ("runs", asked), count, also_marked=True) if is_lasting else count()
    if marks.is_quiet:
        return whole
    return whole + int(fetch_value(_correcting(given, status, forks), params))


@functools.lru_cache(maxsize=512)
def _counting(given: frozenset[str], status: RunStatus | None, forks: int) -> Select[Any]:
    """Return how many of those that are meant are rolled up."""
    sources = _rolled_up(given, status=status, forks=forks)
    return _sum_of(_by_index(source, given, "created_at") for source in sources)


@functools.lru_cache(maxsize=512)
def _correcting(given: frozenset[str], status: RunStatus | None, forks: int) -> Select[Any]:
    """Return how many more there are, as it is derived, or fewer where that is negative."""
    sources = _rolled_up(given, status=status, forks=forks)
    concerned = _sum_of(source.where(RunRollup.test_id.in_(CONCERNED)) for source in sources)
    return select(_sum_of([other_runs(given)]).scalar_subquery() - concerned.scalar_subquery())


def _sum_of(sources: Iterable[Select[Any]]) -> Select[Any]:
    counts: Iterable[ColumnElement[int]] = (
        source.with_only_columns(func.count()).scalar_subquery() for source in sources
    )
    return select(functools.reduce(lambda one, other: one + other, counts))
