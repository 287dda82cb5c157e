"""What became of a job: its tests, its coverage, the files that it left behind."""

from typing import Any

from flask import Response
from marshmallow import fields

from database import reading
from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import current_account, requires
from mod_api.middleware.files import UNCHANGED, send
from mod_api.middleware.page_request import window
from mod_api.middleware.resource import Resource
from mod_api.schemas.dumping import Schema
from mod_api.schemas.job_results import (
    CoverageSchema,
    CoverageTotalSchema,
    JobArtifactSchema,
    JobCoverageQuery,
    JobTestSchema,
    JobTestsQuery,
)
from mod_api.schemas.pages import KeysetPaginationSchema, page_of
from mod_api.services.jobs import results
from mod_auth.scopes import Scope

bp = Resource("Job results", __name__, url_prefix="/jobs", description="Tests, coverage, files")
FILE = "application/octet-stream"
# Whatever a project calls its files, a browser neither guesses what they are nor runs them.
HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}


class JobArtifactsSchema(Schema):
    data = fields.List(fields.Nested(JobArtifactSchema), required=True)


@bp.get("/<job_id>/tests")
@requires(Scope.JOBS_READ)
@bp.query(JobTestsQuery)
@bp.response(200, page_of(JobTestSchema, KeysetPaginationSchema))
@bp.fails(400, 401, 403, 404, 429)
def list_job_tests(
    job_id: str, limit: int, offset: int, cursor: str | None = None, **wanted: Any
) -> Any:
    """List the tests of a job's newest attempt, as they end; also while it runs."""
    return results.list_tests(
        job_id,
        current_account(),
        application.settings(),
        window=window(limit, offset, cursor),
        **wanted,
    )


@bp.get("/<job_id>/tests/<id:number>")
@requires(Scope.JOBS_READ)
@bp.response(200, JobTestSchema, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_job_test(job_id: str, number: int) -> Any:
    """Get a test of a job by its number in the list."""
    return results.get_test(job_id, number, current_account(), application.settings())


@bp.get("/<job_id>/coverage")
@requires(Scope.JOBS_READ)
@bp.query(JobCoverageQuery)
@bp.response(200, page_of(CoverageSchema, totals=fields.Nested(CoverageTotalSchema, required=True)))
@bp.fails(400, 401, 403, 404, 429)
def list_job_coverage(job_id: str, limit: int, offset: int) -> Any:
    """List how much of each file a job's tests executed, as its coverage reports say."""
    return results.coverage(
        job_id, current_account(), application.settings(), limit=limit, offset=offset
    )


@bp.get("/<job_id>/artifacts")
@requires(Scope.JOBS_READ)
@bp.response(200, JobArtifactsSchema)
@bp.fails(400, 401, 403, 404, 429)
def list_job_artifacts(job_id: str) -> Any:
    """List the files that a job left behind, at most 200."""
    settings = application.settings()
    return {"data": results.list_files(job_id, current_account(), settings, base=base_url())}


@bp.get("/<job_id>/artifacts/<path:name>")
@requires(Scope.JOBS_READ)
@bp.response(200, content_type=FILE, description="The file", unit=False)
@bp.alt_response(206, description="The part that Range asked for")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 401, 403, 404, 416, 429, 503)
def download_job_artifact(job_id: str, name: str) -> Any:
    """Fetch a file that a job left behind. It is a stranger's: it is never shown in the browser."""
    with reading():
        key = results.key_of_file(job_id, name, current_account(), application.settings())
    response: Response = send(
        application.repository(), key, name.rpartition("/")[2], content_type=FILE
    )
    response.headers.update(HARMLESS)
    return response
