"""Logs of jobs: read by pages, followed live, fetched whole."""

from typing import Any

from mod_api import application
from mod_api.middleware.auth import current_account, current_caller, requires
from mod_api.middleware.files import UNCHANGED, send_text
from mod_api.middleware.resource import Resource
from mod_api.routes.logs import SEEN, STREAM, streamed
from mod_api.schemas.job_results import JobLogLineSchema, JobLogQuery, JobStreamQuery
from mod_api.schemas.logs import FINISHED, LastEventIdHeaders, LogPaginationSchema
from mod_api.schemas.pages import page_of
from mod_api.services.jobs import job_logs
from mod_api.streaming import frames
from mod_auth.scopes import Scope

bp = Resource("Job logs", __name__, url_prefix="/jobs", description="Logs of jobs, also live")


@bp.get("/<job_id>/logs")
@requires(Scope.JOBS_READ)
@bp.query(JobLogQuery)
@bp.response(200, page_of(JobLogLineSchema, LogPaginationSchema, finished=FINISHED), unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "log_not_found"})
def read_job_log(job_id: str, **asked: Any) -> Any:
    """Read a job's log by pages; while it runs it shows what has arrived."""
    return job_logs.read(
        job_id,
        current_account(),
        settings=application.settings(),
        repository=application.repository(),
        **asked,
    )


@bp.get("/<job_id>/logs/raw")
@requires(Scope.JOBS_READ)
@bp.response(200, content_type="text/plain", description="The log as it is", unit=False)
@bp.alt_response(206, description="The part that Range asked for")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 401, 403, 404, 416, 429, 503)
@bp.codes({404: "log_not_found"})
def download_job_log(job_id: str) -> Any:
    """Fetch a job's log whole or by Range, compressed where the client takes it."""
    repository = application.repository()
    key, filename = job_logs.raw(
        job_id, current_account(), settings=application.settings(), repository=repository
    )
    return send_text(repository, key, filename)


@bp.get("/<job_id>/logs/stream")
@requires(Scope.JOBS_READ)
@bp.query(JobStreamQuery)
@bp.arguments(LastEventIdHeaders, location="headers")
@bp.response(200, content_type=frames.MEDIA_TYPE, description=STREAM, unit=False)
@bp.alt_response(204, description=SEEN)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "log_not_found"})
def follow_job_log(headers: dict[str, Any], job_id: str, **asked: Any) -> Any:
    """Follow a job's log: each line is a `line` event whose id is a durable offset."""
    return streamed(
        lambda: job_logs.follow(
            job_id,
            current_account(),
            app=application.current(),
            settings=application.settings(),
            repository=application.repository(),
            token_id=current_caller().token_id,
            last_event_id=headers.get("last_event_id"),
            **asked,
        )
    )
