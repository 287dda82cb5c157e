"""Jobs in the words of the original job server (docs/jobs-original-interface.md)."""

from typing import Any

from sqlalchemy import bindparam, select

from config import Settings
from database import fetch, fetch_value
from mod_api.services.jobs import jobs
from mod_auth.accounts import Account
from mod_job.models import Conclusion, Job

MOST = 1000
ENDED = {Conclusion.canceled: "cancelled", Conclusion.error: "failed"}
STATUSES = ("queued", "running", "completed", *ENDED.values())


def status_of(row: Any) -> str:
    """`queued`, `running`, `completed`, `cancelled`, or `failed` by the infrastructure's fault."""
    if row.conclusion is None:
        return str(row.shown_state)
    return ENDED.get(row.conclusion, "completed")


def shown(row: Any) -> dict[str, Any]:
    """A job as the original shows it, with its `name` and `why` beside."""
    return {
        "job_id": row.uuid,
        "status": status_of(row),
        "success": None if row.conclusion is None else row.conclusion is Conclusion.success,
        "start_time": row.started_at,
        "end_time": row.ended_at,
        "name": row.name,
        "why": row.why,
    }


def newest(
    by: Account, settings: Settings, *, limit: int, status: str | None, before: str | None
) -> list[Any]:
    """Rows of the account's jobs, an admin's of all, the newest first; behind the job `before`."""
    params: dict[str, Any] = {"namespace": settings.ci_container_prefix, "most": limit}
    statement = jobs.SHOWN.where(Job.namespace == bindparam("namespace"))
    if not by.is_admin:
        statement = statement.where(Job.account_id == bindparam("owner"))
        params["owner"] = by.id
    if before is not None:
        params["last"] = fetch_value(
            select(Job.id).where(Job.uuid == bindparam("uuid")), {"uuid": before}
        )
        statement = statement.where(Job.id < bindparam("last"))
    if status in ("queued", "running"):
        statement = statement.where(jobs.STATE.element == status)
    elif status is not None:
        meant = [one for one in Conclusion if ENDED.get(one, "completed") == status]
        statement = statement.where(Job.conclusion.in_(meant))
    return list(fetch(statement.order_by(Job.id.desc()).limit(bindparam("most")), params))
