"""The queue as people see it: who waits at which position, and what runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select

from database import db
from mod_api.services.paging import Page, page
from mod_ci.queue import is_waiting, positions
from mod_test.models import Platform, Run, RunRecord, TestStatus
from mod_test.run_rows import STARTED_AT, Last, joined


@dataclass(frozen=True)
class Job:
    """A run that waits or runs; `position` counts the waiting ones of its platform from 1."""

    run_id: int
    status: str
    platform: Platform
    queued_at: datetime
    started_at: datetime | None
    position: int | None


def jobs(*, platform: str | None, status: str | None, limit: int, offset: int) -> Page[Job]:
    """One page: what runs first, then what waits, each in the order of the queue.

    `queue_depth` and `running_count` obey `platform`, not `status`.
    """
    only = Platform(platform) if platform else None
    waiting = positions(only)
    depth = db.session.scalar(select(func.count()).select_from(waiting)) or 0
    running = _running(only)
    count = db.session.scalar(select(func.count()).select_from(running.subquery())) or 0
    total = (0 if status == "queued" else count) + (0 if status == "running" else depth)
    rows: list[Job] = []
    if status != "queued":
        rows += _jobs(running.order_by(Run.id).limit(limit).offset(offset))
    if status != "running" and len(rows) < limit:
        skipped = 0 if status == "queued" else count
        rows += _jobs(
            select(
                waiting.c.run_id,
                literal("queued").label("status"),
                waiting.c.platform,
                RunRecord.created_at.label("queued_at"),
                literal(None).label("started_at"),
                waiting.c.position,
            )
            .join(RunRecord, RunRecord.test_id == waiting.c.run_id)
            .order_by(waiting.c.position, waiting.c.run_id)
            .limit(limit - len(rows))
            .offset(max(0, offset - skipped))
        )
    return page(
        rows, total=total, limit=limit, offset=offset, queue_depth=depth, running_count=count
    )


def _running(platform: Platform | None) -> Any:
    running = joined(
        Run.id.label("run_id"),
        literal("running").label("status"),
        Run.platform.label("platform"),
        RunRecord.created_at.label("queued_at"),
        STARTED_AT,
        literal(None).label("position"),
    ).where(Last.status.in_([TestStatus.preparation, TestStatus.testing]), ~is_waiting())
    return running if platform is None else running.where(Run.platform == platform)


def _jobs(statement: Any) -> list[Job]:
    return [Job(*row) for row in db.session.execute(statement)]
