"""The queue as people see it: who waits at which position, and what runs."""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, null, or_, select

from database import fetch
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_ci.open_runs import IS_RUNNING, IS_WAITING, open_runs
from mod_test.models import Platform, Run, RunRecord
from mod_test.run_rows import started_at


@dataclass(slots=True)
class Job:
    """A run that waits or runs; `position` counts the waiting ones of its platform from 1."""

    run_id: int
    status: str
    platform: Platform
    queued_at: datetime
    started_at: datetime | None
    position: int | None


_COUNTS = (
    open_runs(Run.platform, IS_WAITING.label("waits"), func.count().label("number"))
    .where(or_(IS_WAITING, IS_RUNNING))
    .group_by(Run.platform, IS_WAITING)
)
_RUNNING = (
    open_runs(
        Run.id,
        literal("running"),
        Run.platform,
        RunRecord.created_at,
        started_at().label("started_at"),
        null().label("position"),
    )
    .where(IS_RUNNING)
    .order_by(Run.id)
)
# The ids alone are numbered: what else a page shows is looked up for its rows only.
_NUMBERED = open_runs(
    Run.id.label("run_id"),
    Run.platform.label("platform"),
    func.row_number().over(partition_by=Run.platform, order_by=Run.id).label("position"),
).where(IS_WAITING)


def jobs(*, platform: str | None, status: str | None, limit: int, offset: int) -> Page[Job]:
    """One page: what runs first, then what waits, each in the order of the queue.

    `queue_depth` and `running_count` obey `platform`, not `status`.
    """
    only = Platform(platform) if platform else None
    counts = {True: 0, False: 0}
    for name, waits, number in fetch(_COUNTS):
        counts[bool(waits)] += number if only in (None, name) else 0
    depth, running = counts[True], counts[False]
    total = (0 if status == "queued" else running) + (0 if status == "running" else depth)
    rows: list[Job] = []
    if status != "queued" and offset < running:
        rows += _jobs(_running(only), limit, offset)
    if status != "running" and len(rows) < limit and depth:
        skipped = 0 if status == "queued" else running
        rows += _jobs(_waiting(only), limit - len(rows), max(0, offset - skipped))
    return page(
        rows, total=total, limit=limit, offset=offset, queue_depth=depth, running_count=running
    )


@functools.cache
def _running(platform: Platform | None) -> Any:
    return _of(_RUNNING, platform).limit(LIMIT).offset(OFFSET)


@functools.cache
def _waiting(platform: Platform | None) -> Any:
    numbered = _of(_NUMBERED, platform).subquery()
    some = (
        select(numbered)
        .order_by(numbered.c.position, numbered.c.run_id)
        .limit(LIMIT)
        .offset(OFFSET)
        .subquery("some")
    )
    return (
        select(
            some.c.run_id,
            literal("queued"),
            some.c.platform,
            RunRecord.created_at,
            null().label("started_at"),
            some.c.position,
        )
        .join(RunRecord, RunRecord.test_id == some.c.run_id)
        .order_by(some.c.position, some.c.run_id)
    )


def _of(statement: Any, platform: Platform | None) -> Any:
    return statement if platform is None else statement.where(Run.platform == platform)


def _jobs(statement: Any, limit: int, offset: int) -> list[Job]:
    return [Job(*row) for row in fetch(statement, {"page_limit": limit, "page_offset": offset})]
