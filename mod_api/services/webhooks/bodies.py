"""Bodies of messages: the event, its time, and what is to be known of its subject."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from database import fetch_first, fetch_values
from mod_api.schemas.fields import rfc3339
from mod_job.models import Job, JobLabel
from mod_outbox.models import Event
from mod_test import run_rows


def compose(event: Event, subject_id: int, created_at: datetime, *, base: str) -> str | None:
    """The body of a message; None when its subject is gone. `base` is what links begin with."""
    make = {Event.job_ended: _job, Event.run_ended: _run, Event.test: _test}[event]
    data = make(subject_id, base)
    if data is None:
        return None
    told = {"type": event.value, "timestamp": rfc3339(created_at), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _job(job_id: int, base: str) -> dict[str, Any] | None:
    job = fetch_first(_JOB, {"job_id": job_id})
    if job is None:
        return None
    counts = ("passed", "failed", "errors", "skipped", "flaky")
    return {
        "job_id": job.uuid,
        "name": job.name,
        "labels": list(fetch_values(_LABELS, {"job_id": job_id})),
        "state": job.state,
        "conclusion": job.conclusion,
        "why": job.why,
        "exit_code": job.exit_code,
        "tests": {name: getattr(job, name) for name in counts},
        "created_at": rfc3339(job.created_at),
        "started_at": _moment(job.started_at),
        "ended_at": _moment(job.ended_at),
        "url": f"{base}/jobs/{job.uuid}",
    }


def _run(run_id: int, base: str) -> dict[str, Any] | None:
    run = run_rows.find(run_id)
    if run is None:
        return None
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "platform": run.platform.value,
        "repository": run.repository,
        "branch": run.branch,
        "commit_sha": run.commit_sha,
        "pull_request": run.pull_request,
        "created_at": rfc3339(run.created_at),
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
        "url": f"{base}/runs/{run.run_id}",
    }


def _test(webhook_id: int, base: str) -> dict[str, Any]:
    return {"webhook_id": webhook_id, "url": f"{base}/webhooks/{webhook_id}"}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


_JOB = select(Job.__table__).where(Job.id == bindparam("job_id"))
_LABELS = (
    select(JobLabel.label).where(JobLabel.job_id == bindparam("job_id")).order_by(JobLabel.label)
)
