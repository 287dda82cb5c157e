"""Jobs: projects whose tests run in a container. Submitted here, or at the root (`ci_server`)."""

from typing import Any

from flask import request

from database import reading
from errors import Forbidden, Invalid
from mod_api import application
from mod_api.application import base_url
from mod_api.middleware import parsing
from mod_api.middleware.auth import current_account, requires
from mod_api.middleware.limits import Rate
from mod_api.middleware.page_request import window
from mod_api.middleware.resource import Resource
from mod_api.schemas.jobs import (
    JobActionSchema,
    JobChangeSchema,
    JobEventSchema,
    JobListQuery,
    JobQuery,
    JobRequestSchema,
    JobSchema,
    ListedJobSchema,
)
from mod_api.schemas.pages import KeysetPaginationSchema, OffsetQuery, page_of
from mod_api.schemas.runs import IdempotencyHeaders, ReasonSchema
from mod_api.services.jobs import actions, jobs, submission
from mod_api.services.jobs.jobs import JobFilter
from mod_api.services.jobs.submission import Wish
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_job.models import USUAL_PRIORITY

bp = Resource("Jobs", __name__, url_prefix="/jobs", description="Projects whose tests are run")
TRUSTED = (Role.admin, Role.tester, Role.contributor)
REQUEST = JobRequestSchema()
MULTIPART = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "minLength": 1},
                    "job": JobRequestSchema,
                },
            },
            "encoding": {"job": {"contentType": "application/json"}},
        }
    },
}


@bp.post("")
@requires(Scope.JOBS_WRITE, *TRUSTED, rate=Rate.submit)
@bp.arguments(IdempotencyHeaders, location="headers")
@bp.response(202, JobSchema, unit=False)
@bp.fails(400, 401, 403, 409, 413, 415, 422, 429, 503)
@bp.codes(
    {
        403: "blocked",
        409: "at_work",
        422: "unsafe_archive archive_refused idempotency_key_reused",
        429: "too_many_queued",
    }
)
@bp.doc(requestBody=MULTIPART)
def submit_job(headers: dict[str, Any]) -> Any:
    """Submit a project as a zip archive: its tests run in a container (docs/jobs.md)."""
    by, settings = current_account(), application.settings()
    uuid = submission.submit(
        by,
        archive_of_request(),
        _wish(by.is_admin),
        settings=settings,
        repository=application.repository(),
        idempotency_key=headers.get("idempotency_key"),
    )
    with reading():
        return jobs.get(uuid, by, settings, base=base_url())


@bp.get("")
@requires(Scope.JOBS_READ)
@bp.query(JobListQuery)
@bp.response(200, page_of(ListedJobSchema, KeysetPaginationSchema))
@bp.fails(400, 401, 403, 429)
def list_jobs(sort: str, limit: int, offset: int, cursor: str | None = None, **wanted: Any) -> Any:
    """List your jobs, the newest first; an admin lists everybody's."""
    return jobs.list_jobs(
        JobFilter(**wanted),
        current_account(),
        application.settings(),
        sort=sort,
        window=window(limit, offset, cursor),
        base=base_url(),
    )


@bp.get("/<job_id>")
@requires(Scope.JOBS_READ)
@bp.query(JobQuery)
@bp.response(200, JobSchema, etag=True, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
def get_job(job_id: str, wait: int, state: str | None = None) -> Any:
    """Get a job, now or as soon as its state changes."""
    by, settings = current_account(), application.settings()
    if wait:
        jobs.wait_for_change(job_id, wait, by, settings, known=state)
    with reading():
        return jobs.get(job_id, by, settings, base=base_url())


@bp.patch("/<job_id>")
@requires(Scope.JOBS_WRITE, *TRUSTED)
@bp.body(JobChangeSchema)
@bp.response(200, JobSchema)
@bp.fails(400, 401, 403, 404, 409, 429)
@bp.codes({409: "not_queued"})
def change_job(body: dict[str, Any], job_id: str) -> Any:
    """Give a waiting job another priority; only an admin a better one."""
    by, settings = current_account(), application.settings()
    actions.reprioritize(job_id, body["priority"], by=by, settings=settings)
    return jobs.get(job_id, by, settings, base=base_url())


@bp.post("/<job_id>/cancel")
@requires(Scope.JOBS_WRITE, *TRUSTED)
@bp.body(ReasonSchema, required=False)
@bp.response(202, JobActionSchema)
@bp.fails(400, 401, 403, 404, 415, 429)
def cancel_job(body: dict[str, Any], job_id: str) -> Any:
    """Cancel a job that waits or runs; one that has ended stays as it is."""
    return actions.cancel(job_id, by=current_account(), settings=application.settings(), **body)


@bp.post("/<job_id>/retry")
@requires(Scope.JOBS_WRITE, *TRUSTED, rate=Rate.submit)
@bp.body(ReasonSchema, required=False)
@bp.response(202, JobActionSchema, unit=False)
@bp.fails(400, 401, 403, 404, 409, 415, 429, 503)
@bp.codes({403: "blocked", 409: "not_ended", 429: "too_many_queued"})
def retry_job(body: dict[str, Any], job_id: str) -> Any:
    """Submit an ended job again, as a new one with the same archive."""
    return actions.retry(
        job_id,
        by=current_account(),
        settings=application.settings(),
        repository=application.repository(),
        **body,
    )


@bp.get("/<job_id>/events")
@requires(Scope.JOBS_READ)
@bp.query(OffsetQuery)
@bp.response(200, page_of(JobEventSchema))
@bp.fails(400, 401, 403, 404, 429)
def list_job_events(job_id: str, limit: int, offset: int) -> Any:
    """List what happened to a job, the oldest first."""
    return jobs.list_events(
        job_id, current_account(), application.settings(), limit=limit, offset=offset
    )


def archive_of_request() -> Any:
    """The stream of the part `file`. Raises Invalid, UnsupportedMediaType, and TooLarge through the
    framework."""
    parsing.expect_type("multipart/form-data", largest=application.settings().max_job_upload)
    found = request.files.get("file")
    if found is None:
        raise Invalid.fields(file="There is no such file, or the upload was cut.")
    return found.stream


def _wish(is_admin: bool) -> Wish:
    told: dict[str, Any] = {}
    if "job" in request.form or "job" in request.files:
        told = parsing.json_part("job", most=application.settings().max_body)
    others = set(parsing.file_parts(besides="job")) - {"file"}
    if others:
        raise Invalid.fields(**dict.fromkeys((name[:100] for name in others), "Is no part of it."))
    wanted: dict[str, Any] = REQUEST.load(told)
    name, priority = wanted.pop("name", None), wanted.pop("priority")
    if priority < USUAL_PRIORITY and not is_admin:
        raise Forbidden("Only an admin may let a job go before others.", priority=priority)
    return Wish(name, priority, tuple(wanted.pop("labels")), wanted)
