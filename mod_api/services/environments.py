"""Environments: one per platform, with who executes runs there and how long runs take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, literal, null, select, union_all

from database import db, epoch_ms
from mod_api.services.paging import Page, page
from mod_ci.models import Attempt, Maintenance
from mod_ci.open_runs import among
from mod_test.models import Platform, Run, RunRecord, TestStatus
from mod_test.rollup.kept import IS_KEPT, PENDING
from mod_test.rollup.tables import RunRollup
from mod_test.run_rows import Last, started_at

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
    newest = select(func.max(Attempt.id)).group_by(Attempt.platform)
    pauses = select(Maintenance.platform, null()).where(Maintenance.disabled.is_(True))
    names = select(Attempt.platform, Attempt.runner_name).where(Attempt.id.in_(newest))
    told: Sequence[Row[Any]] = db.session.execute(union_all(pauses, names)).all()
    paused = {name for name, label in told if label is None}
    labels = {name: label for name, label in told if label is not None}
    durations = dict(db.session.execute(_DURATIONS).tuples().all())
    return [
        Environment(
            environment_id=platform.value,
            platform=platform,
            active=platform not in paused,
            runner_label=labels.get(platform),
            average_duration_ms=_whole(durations[platform.value]),
        )
        for platform in platforms
    ]


def _whole(number: Any) -> int | None:
    return None if number is None else round(number)


def _durations(platform: Platform) -> Select[Any]:
    """The mean duration of a platform's newest completed runs, in milliseconds."""
    kept = (
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
        .subquery("kept")
    )
    pending = (
        among(
            PENDING,
            PENDING.c.test_id,
            RunRecord.created_at,
            (epoch_ms(Last.timestamp) - epoch_ms(started_at())).label("took"),
        )
        .where(
            Run.platform == platform,
            Last.status == TestStatus.completed,
            started_at().is_not(None),
        )
        .subquery("pending")
    )
    both = union_all(select(kept), select(pending)).subquery()
    newest = (
        select(both.c.took)
        .order_by(both.c.created_at.desc(), both.c.test_id.desc())
        .limit(RECENT_RUNS)
        .subquery("newest")
    )
    return select(literal(platform.value), func.avg(newest.c.took))


# Composed once: building it costs more than the database needs for it.
_DURATIONS = union_all(*(_durations(platform) for platform in Platform))
