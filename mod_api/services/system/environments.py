"""Environments: one per platform, with who executes runs there and how long runs take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CompoundSelect, Select, func, literal, null, select, type_coerce, union_all

from database import by_index, epoch_ms, fetch
from mod_api.services.paging import Page, page
from mod_ci.models import Attempt, Maintenance
from mod_ci.open_runs import among
from mod_test.models import Platform, Run, RunRecord, TestStatus
from mod_test.rollup import kept
from mod_test.rollup.kept import IS_KEPT, PENDING
from mod_test.rollup.memory import remembered
from mod_test.rollup.tables import RunRollup
from mod_test.run_rows import Last, ended_at, started_at

RECENT_RUNS = 100


@dataclass(frozen=True)
class Environment:
    """A platform on which runs are executed; its id is what POST /runs takes as environment_id."""

    environment_id: str
    platform: Platform
    active: bool
    runner_label: str | None
    average_duration_ms: int | None


def list_environments(
    *, platform: str | None, active: bool | None, limit: int, offset: int
) -> Page[Environment]:
    """One page of environments in the order of their names."""
    wanted = [name for name in Platform if platform in (None, name.value)]
    found = _environments(wanted)
    if active is not None:
        found = [environment for environment in found if environment.active is active]
    return page(found[offset : offset + limit], total=len(found), limit=limit, offset=offset)


def environment(platform: Platform) -> Environment:
    """The environment of one platform."""
    return _environments([platform])[0]


def _environments(platforms: list[Platform]) -> list[Environment]:
    facts: Sequence[Any] | None = None

    def ask() -> dict[Platform, int]:
        nonlocal facts
        facts = fetch(_ALL)
        return {row.platform: round(row.took) for row in facts if row.took is not None}

    durations = remembered(kept.known(), "durations", ask)
    runners = [row for row in (fetch(_RUNNERS) if facts is None else facts) if row.took is None]
    paused = {row.platform for row in runners if row.label is None}
    labels = {row.platform: row.label for row in runners if row.label is not None}
    return [
        Environment(
            environment_id=platform.value,
            platform=platform,
            active=platform not in paused,
            runner_label=labels.get(platform),
            average_duration_ms=durations.get(platform),
        )
        for platform in platforms
    ]


def _duration(platform: Platform) -> Select[Any]:
    """The mean duration of a platform's newest completed runs, in milliseconds."""
    of_kept = (
        select(
            RunRollup.test_id,
            RunRollup.created_at,
            (epoch_ms(RunRollup.ended_at) - epoch_ms(RunRollup.started_at)).label("took"),
        )
        .where(
            RunRollup.platform == platform,
            RunRollup.ended_as == TestStatus.completed,
            RunRollup.started_at.is_not(None),
            IS_KEPT,
        )
        .order_by(RunRollup.created_at.desc(), RunRollup.test_id.desc())
        .limit(RECENT_RUNS)
    )
    # MariaDB would sometimes sort all runs of the platform instead of reading the newest ones.
    of_kept = by_index(of_kept, RunRollup, "ix_run_rollup_platform")
    pending = among(
        PENDING,
        PENDING.c.test_id,
        RunRecord.created_at,
        (epoch_ms(ended_at()) - epoch_ms(started_at())).label("took"),
    ).where(
        Run.platform == platform,
        Last.status == TestStatus.completed,
        started_at().is_not(None),
    )
    sources = of_kept.subquery("kept"), pending.subquery("pending")
    both = union_all(*map(select, sources)).subquery("both")
    newest = (
        select(both.c.took)
        .order_by(both.c.created_at.desc(), both.c.test_id.desc())
        .limit(RECENT_RUNS)
        .subquery("newest")
    )
    return select(
        type_coerce(literal(platform.value), Maintenance.platform.type),
        null(),
        func.avg(newest.c.took),
    ).having(func.count(newest.c.took) > 0)


_newest = select(func.max(Attempt.id)).group_by(Attempt.platform)
_facts = (
    select(Maintenance.platform, null().label("label"), null().label("took")).where(
        Maintenance.disabled.is_(True)
    ),
    select(Attempt.platform, Attempt.runner_name, null()).where(Attempt.id.in_(_newest)),
)
# A name where a runner has claimed, and none for a pause.
_RUNNERS: CompoundSelect[Any] = union_all(*_facts)
# The same, and how long runs take.
_ALL: CompoundSelect[Any] = union_all(*_facts, *map(_duration, Platform))
