"""Jobs as the API shows them: one, and lists of them."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)

from config import Settings
from database import ASCII_LOWER, contains_text, fetch, fetch_first, fetch_value, reading, utc_now
from errors import NotFound
from mod_api.services.keyset import Key, PageRequest, select_page
from mod_api.services.paging import LIMIT, OFFSET, Page, page
from mod_api.services.waiting import wait_for
from mod_auth import permissions
from mod_auth.accounts import Account
from mod_ci.models import JobAttempt
from mod_job.models import Job, JobEvent, JobLabel, JobState

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A runner that stopped answering has lost its job, though nobody may have written that down.
IS_LOST = and_(Job.state == JobState.running, Job.lease_expires_at < utc_now())
STATE = case((IS_LOST, JobState.queued.value), else_=Job.state).label("shown_state")
SORTS = {
    "-created_at": (Key(Job.created_at, descending=True), Key(Job.id, descending=True)),
    "created_at": (Key(Job.created_at), Key(Job.id)),
}


def find(job_uuid: str, by: Account, settings: Settings) -> Any:
    """The row of a job with its `shown_state`. Raises NotFound, also for one of somebody else."""
    row = None
    if UUID.fullmatch(job_uuid):
        row = fetch_first(
            SHOWN.where(Job.uuid == bindparam("uuid"), Job.namespace == bindparam("namespace")),
            {"uuid": job_uuid, "namespace": settings.ci_container_prefix},
        )
    if row is None or not permissions.may_see_job(by, row.account_id):
        raise NotFound("job", job_uuid)
    return row


def get(job_uuid: str, by: Account, settings: Settings, *, base: str) -> dict[str, Any]:
    """A job with its attempts, labels and its position in the queue. Raises NotFound."""
    row = find(job_uuid, by, settings)
    attempts = fetch(_ATTEMPTS, {"job_id": row.id})
    labels = fetch(_LABELS, {"ids": [row.id]})
    position = None
    if row.shown_state == JobState.queued.value:
        position = 1 + fetch_value(_AHEAD, {"job_id": row.id})
    return _shown(row, [label for _, label in labels], settings, base) | {
        "position": position,
        "attempts": [
            {
                "attempt": one.number,
                "runner_name": one.runner_name,
                "claimed_at": one.claimed_at,
                "ended_at": one.ended_at,
                "stage": one.stage,
                "end_reason": one.end_reason,
                "message": one.error_message,
            }
            for one in attempts
        ],
    }


def wait_for_change(
    job_uuid: str, seconds: int, by: Account, settings: Settings, *, known: str | None
) -> None:
    """Wait until the job's state is another one than `known` (None: than now). Raises NotFound,
    and Unavailable when too many wait."""

    def look() -> str | None:
        with reading():
            row = find(job_uuid, by, settings)
        state: str = row.shown_state
        return state if state != before or state == JobState.ended.value else None

    with reading():
        before = known or find(job_uuid, by, settings).shown_state
    wait_for(look, seconds, most=settings.max_waiters)


@dataclass(frozen=True)
class JobFilter:
    """Which jobs are meant; None filters nothing."""

    state: str | None = None
    conclusion: str | None = None
    account_id: int | None = None
    label: str | None = None
    q: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The values of what is asked for, by name."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        if self.q is not None:
            given["q"] = self.q.translate(ASCII_LOWER)
        return given


CONDITIONS: Mapping[str, Callable[[], ColumnElement[bool]]] = {
    "state": lambda: STATE.element == bindparam("state"),
    "conclusion": lambda: Job.conclusion == bindparam("conclusion"),
    "account_id": lambda: Job.account_id == bindparam("account_id"),
    "label": lambda: exists().where(
        JobLabel.job_id == Job.id, JobLabel.label == bindparam("label")
    ),
    "q": lambda: contains_text(Job.name, bindparam("q")),
    "created_after": lambda: Job.created_at >= bindparam("created_after"),
    "created_before": lambda: Job.created_at < bindparam("created_before"),
}


def list_jobs(
    wanted: JobFilter, by: Account, settings: Settings, *, sort: str, window: PageRequest, base: str
) -> Page[dict[str, Any]]:
    """One page of the account's jobs, an admin's of all, with the exact number that match."""
    params = wanted.params
    if not by.is_admin:
        params["owner"] = by.id
    statement = _listing(frozenset(params))
    found = select_page(
        statement,
        SORTS[sort],
        window,
        total=_counting(frozenset(params)),
        kind="jobs",
        wanted={**{name: str(value) for name, value in params.items()}, "sort": sort},
        params={**params, "namespace": settings.ci_container_prefix},
    )
    labels: dict[int, list[str]] = {}
    for job_id, label in fetch(_LABELS, {"ids": [row.id for row in found.data]}):
        labels.setdefault(job_id, []).append(label)
    return found.showing(
        [_shown(row, labels.get(row.id, []), settings, base) for row in found.data]
    )


def list_events(
    job_uuid: str, by: Account, settings: Settings, *, limit: int, offset: int
) -> Page[Any]:
    """A page of what happened to a job, the oldest first. Raises NotFound."""
    row = find(job_uuid, by, settings)
    total = fetch_value(_COUNT_EVENTS, {"job_id": row.id})
    rows = fetch(_EVENTS, {"job_id": row.id, "page_limit": limit, "page_offset": offset})
    return page(list(rows), total=total, limit=limit, offset=offset)


def _shown(row: Any, labels: list[str], settings: Settings, base: str) -> dict[str, Any]:
    spec = json.loads(row.spec)
    job = f"{base}/jobs/{row.uuid}"
    kept = timedelta(days=settings.job_retention)
    return {
        "job_id": row.uuid,
        "name": row.name,
        "state": row.shown_state,
        "conclusion": row.conclusion,
        "why": row.why,
        "outcome": row.outcome,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "is_report_whole": row.is_report_whole,
        "priority": row.priority,
        "account_id": row.account_id,
        "labels": labels,
        "spec": spec,
        "source": {"sha256": row.source_sha256, "size_bytes": row.source_bytes},
        "tests": {
            name: getattr(row, name) for name in ("passed", "failed", "errors", "skipped", "flaky")
        },
        "created_at": row.created_at,
        "started_at": row.started_at,
        "ended_at": row.ended_at,
        "expires_at": None if row.ended_at is None else row.ended_at + kept,
        "retry_of": row.retried,
        "links": {
            "self": job,
            **{
                name: f"{job}/{name}"
                for name in ("events", "tests", "coverage", "artifacts", "logs")
            },
        },
    }


_RETRIED = Job.__table__.alias("retried")
SHOWN: Select[Any] = select(Job.__table__, STATE, _RETRIED.c.uuid.label("retried")).outerjoin(
    _RETRIED, _RETRIED.c.id == Job.retry_of
)
_ATTEMPTS = (
    select(JobAttempt.__table__)
    .where(JobAttempt.job_id == bindparam("job_id"))
    .order_by(JobAttempt.number)
)
_LABELS = (
    select(JobLabel.job_id, JobLabel.label)
    .where(JobLabel.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(JobLabel.job_id, JobLabel.label)
)
_EVENTS = (
    select(JobEvent.__table__)
    .where(JobEvent.job_id == bindparam("job_id"))
    .order_by(JobEvent.id)
    .limit(LIMIT)
    .offset(OFFSET)
)
_COUNT_EVENTS = select(func.count()).where(JobEvent.job_id == bindparam("job_id"))


def _ahead() -> Select[Any]:
    """How many jobs come before a waiting one in the queue's order."""
    other, this = Job.__table__.alias("other"), Job.__table__.alias("this")
    before = or_(
        other.c.priority < this.c.priority,
        and_(other.c.priority == this.c.priority, other.c.share_tag < this.c.share_tag),
        and_(
            other.c.priority == this.c.priority,
            other.c.share_tag == this.c.share_tag,
            other.c.id < this.c.id,
        ),
    )
    return (
        select(func.count())
        .select_from(this)
        .join(
            other,
            and_(
                other.c.namespace == this.c.namespace,
                other.c.state == JobState.queued,
                before,
            ),
        )
        .where(this.c.id == bindparam("job_id"))
    )


_AHEAD = _ahead()


@functools.cache
def _conditions(given: frozenset[str]) -> tuple[ColumnElement[bool], ...]:
    own = [Job.account_id == bindparam("owner")] if "owner" in given else []
    asked = [CONDITIONS[name]() for name in sorted(given - {"owner"})]
    return Job.namespace == bindparam("namespace"), *own, *asked


@functools.cache
def _listing(given: frozenset[str]) -> Select[Any]:
    return SHOWN.where(*_conditions(given))


@functools.cache
def _counting(given: frozenset[str]) -> Select[Any]:
    return select(func.count()).select_from(Job).where(*_conditions(given))
