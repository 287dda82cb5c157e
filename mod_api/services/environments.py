"""Environments: one per platform, with who executes runs there and how long runs take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, null, select, union_all
from sqlalchemy.orm import aliased

from database import db, epoch_ms
from mod_api.services.paging import Page, page
from mod_ci.models import Attempt, Maintenance
from mod_test.models import Platform, Progress, Run, TestStatus

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
    durations = dict(db.session.execute(_durations(platforms)).tuples().all())
    return [
        Environment(
            environment_id=platform.value,
            platform=platform,
            active=platform not in paused,
            runner_label=labels.get(platform),
            average_duration_ms=round(durations[platform]) if platform in durations else None,
        )
        for platform in platforms
    ]


def _durations(platforms: list[Platform]) -> Any:
    """The mean duration of each platform's newest ended runs, in milliseconds."""
    first = aliased(Progress)
    bounds = (
        select(func.min(first.id).label("first"), func.max(first.id).label("last"), first.test_id)
        .group_by(first.test_id)
        .subquery("bounds")
    )
    started, ended = aliased(Progress), aliased(Progress)
    ranked = (
        select(
            Run.platform.label("platform"),
            (epoch_ms(ended.timestamp) - epoch_ms(started.timestamp)).label("took"),
            func.row_number().over(partition_by=Run.platform, order_by=Run.id.desc()).label("rank"),
        )
        .join(bounds, bounds.c.test_id == Run.id)
        .join(started, started.id == bounds.c.first)
        .join(ended, ended.id == bounds.c.last)
        .where(
            Run.platform.in_(platforms),
            ended.status == TestStatus.completed,
        )
        .subquery("ranked")
    )
    return (
        select(ranked.c.platform, func.avg(ranked.c.took))
        .where(ranked.c.rank <= RECENT_RUNS)
        .group_by(ranked.c.platform)
    )
