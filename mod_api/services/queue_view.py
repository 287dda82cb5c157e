"""The queue as people see it: who waits at which position, and what runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, or_, select

from database import db
from mod_api.services.paging import Page, page
from mod_ci.open_runs import IS_RUNNING, IS_WAITING, open_runs
from mod_test.models import Platform, Run, RunRecord
from mod_test.run_rows import started_at


@dataclass(frozen=True)
class Job:
    """A run that waits or runs; `position` counts the waiting ones of its platform from 1."""

    run_id: int
    status: str
    platform: Platform
    queued_at: datetime
    started_at: datetime | None
    position: int | None


@dataclass(frozen=True)
class _Place:
    run_id: int
    platform: Platform
    position: int | None = None


# The ids of all that waits or runs in a few rows: places and counts follow from them, and thousands
# of rows would cost more than everything else here.
_OPEN = (
    open_runs(
        Run.platform,
        IS_WAITING.label("waits"),
        func.aggregate_strings(Run.id, ",").label("run_ids"),
    )
    .where(or_(IS_WAITING, IS_RUNNING))
    .group_by(Run.platform, IS_WAITING)
)
_TIMES = (
    select(Run.id, RunRecord.created_at, started_at().label("started_at"))
    .join(RunRecord, RunRecord.test_id == Run.id)
    .where(Run.id.in_(bindparam("run_ids", expanding=True)))
)


def jobs(*, platform: str | None, status: str | None, limit: int, offset: int) -> Page[Job]:
    """One page: what runs first, then what waits, each in the order of the queue.

    `queue_depth` and `running_count` obey `platform`, not `status`.
    """
    running: list[_Place] = []
    waiting: list[_Place] = []
    for name, waits, run_ids in db.session.execute(_OPEN):
        if platform not in (None, name.value):
            continue
        ids = sorted(map(int, run_ids.split(",")))
        if waits:
            waiting += (_Place(run_id, name, place) for place, run_id in enumerate(ids, start=1))
        else:
            running += (_Place(run_id, name) for run_id in ids)
    running.sort(key=lambda job: job.run_id)
    waiting.sort(key=lambda job: (job.position, job.run_id))
    wanted = ([] if status == "queued" else running) + ([] if status == "running" else waiting)
    return page(
        list(_jobs(wanted[offset : offset + limit])),
        total=len(wanted),
        limit=limit,
        offset=offset,
        queue_depth=len(waiting),
        running_count=len(running),
    )


def _jobs(places: Sequence[_Place]) -> Iterator[Job]:
    if not places:
        return
    rows = db.session.execute(_TIMES, {"run_ids": [job.run_id for job in places]})
    times = {row.id: row for row in rows}
    for job in places:
        waits = job.position is not None
        yield Job(
            run_id=job.run_id,
            status="queued" if waits else "running",
            platform=job.platform,
            queued_at=times[job.run_id].created_at,
            started_at=None if waits else times[job.run_id].started_at,
            position=job.position,
        )
