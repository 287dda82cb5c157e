"""Attempts: how runners take runs and jobs and report them (docs/runner-protocol.md)."""

import functools
from typing import Any

from flask import Response, after_this_request, g, request

from mod_api import application
from mod_api.application import base_url
from mod_api.middleware import parsing, rollups
from mod_api.middleware.auth import current_caller, requires_and_asks_again, requires_attempt
from mod_api.middleware.files import UNCHANGED, send
from mod_api.middleware.limits import Rate
from mod_api.middleware.resource import Resource
from mod_api.schemas.attempts import (
    MOST_OUTPUTS,
    AppendedSchema,
    ClaimRequestSchema,
    ClaimSchema,
    FinishSchema,
    HeartbeatSchema,
    ReportedTestsSchema,
    ReportsSchema,
    ResultReportSchema,
    StandingSchema,
    UploadOffsetHeaders,
)
from mod_api.services import attempts, claims, job_attempts
from mod_api.services.logs import log_archive
from mod_auth.scopes import Scope
from mod_ci.attempts import AttemptCredential
from mod_ci.job_attempts import MOST_FILE_BYTES, JobCredential

REPORT = ResultReportSchema()
NOT_EMPTY = {"type": "string", "format": "binary", "minLength": 1}

bp = Resource("Runners", __name__, url_prefix="/attempts", description="For runners only")


@bp.post("")
@requires_and_asks_again(Scope.RUNS_EXECUTE, Rate.runner)
@bp.body(ClaimRequestSchema)
@bp.response(201, ClaimSchema, unit=False)
@bp.alt_response(204, description="Nothing waits, or the platform is paused")
@bp.fails(400, 401, 403, 429, 503)
@bp.codes({403: "blocked"})
def claim_run(body: dict[str, Any]) -> Any:
    """Take the next run of a platform, or the next job, waiting for one if asked to."""
    taken = claims.claim(
        by=current_caller(),
        settings=application.settings(),
        repository=application.repository(),
        api=base_url(),
        **body,
    )
    return taken or Response(status=204)


@bp.post("/<id:attempt_id>/heartbeat")
@requires_attempt("run", "job")
@bp.body(HeartbeatSchema, required=False)
@bp.response(200, StandingSchema)
@bp.fails(400, 401, 409, 429)
@bp.codes({409: "lease_lost run_ended job_ended"})
def send_heartbeat(body: dict[str, Any], attempt_id: int) -> Any:
    """Renew the lease, and say which stage and which tests are being executed."""
    return _service().heartbeat(g.attempt, settings=application.settings(), **body)


@bp.patch("/<id:attempt_id>/log")
@requires_attempt("run", "job")
@bp.arguments(UploadOffsetHeaders, location="headers")
@bp.response(200, AppendedSchema, unit=False)
@bp.fails(400, 401, 409, 413, 415, 416, 429)
@bp.codes({409: "lease_lost run_ended job_ended", 416: "offset_mismatch"})
@bp.doc(requestBody={
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
})  # fmt: skip
def append_log(headers: dict[str, Any], attempt_id: int) -> Any:
    """Append whole lines to the log, at the byte offset where they belong."""
    parsing.expect_type("application/octet-stream")
    data = parsing.whole_body()
    return _service().append_log(
        g.attempt, headers["upload_offset"], data, settings=application.settings()
    )


@bp.put("/<id:attempt_id>/artifacts/<any(binary, coredump, combined_stdout):kind>")
@requires_attempt("run")
@bp.response(200, StandingSchema, unit=False)
@bp.fails(400, 401, 404, 409, 413, 415, 429, 503)
@bp.codes({409: "lease_lost run_ended"})
@bp.doc(requestBody={
    "required": True,
    "content": {"application/octet-stream": {"schema": NOT_EMPTY}},
})  # fmt: skip
def store_artifact(attempt_id: int, kind: str) -> Any:
    """Keep a file of the run: the binary that was tested, a core dump, or all that tests printed.

    One file of each kind is kept; another one replaces it. It is taken as long as the log is, and
    listed by `/runs/{run_id}/artifacts`.
    """
    settings = application.settings()
    parsing.expect_type("application/octet-stream", largest=settings.max_upload)
    return attempts.keep_artifact(
        _hold(), kind, request.stream, settings=settings, repository=application.repository()
    )


@bp.put("/<id:attempt_id>/results/<id:regression_id>")
@requires_attempt("run")
@bp.response(200, StandingSchema, unit=False)
@bp.fails(400, 401, 404, 409, 413, 415, 422, 429)
@bp.codes({409: "lease_lost run_ended", 422: "upload_required"})
@bp.doc(requestBody={
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/ResultReport"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["result"],
                "properties": {"result": {"$ref": "#/components/schemas/ResultReport"}},
                "additionalProperties": {"type": "string", "format": "binary"},
            },
            "encoding": {"result": {"contentType": "application/json"}},
        }
    },
})  # fmt: skip
def report_result(attempt_id: int, regression_id: int) -> Any:
    """Report how one regression test ended, with its outputs; it replaces what was reported."""
    told, files = _told_with_files()
    return attempts.report(
        _hold(),
        regression_id,
        REPORT.load(told),
        files,
        repository=application.repository(),
        settings=application.settings(),
    )


@bp.post("/<id:attempt_id>/finish")
@requires_attempt("run", "job")
@bp.body(FinishSchema)
@bp.response(200, StandingSchema)
@bp.fails(400, 401, 409, 429)
@bp.codes({409: "lease_lost run_ended job_ended"})
def finish_attempt(body: dict[str, Any], attempt_id: int) -> Any:
    """End the attempt: the work is completed, given back, or ended by the infrastructure."""
    if isinstance(g.attempt, JobCredential):
        return job_attempts.finish(g.attempt, settings=application.settings(), **body)
    run_id = _hold().run_id
    after_this_request(functools.partial(_keep_log, run_id))
    # Where nobody reads, nobody else would settle what the run has left behind.
    rollups.settle_after_this_request()
    return attempts.finish(_hold(), settings=application.settings(), **body)


@bp.put("/<id:attempt_id>/tests")
@requires_attempt("job")
@bp.body(ReportedTestsSchema)
@bp.response(200, StandingSchema)
@bp.fails(400, 401, 409, 429)
@bp.codes({409: "lease_lost job_ended"})
def report_tests(body: dict[str, Any], attempt_id: int) -> Any:
    """Report tests of a job that have ended; a number that is told again replaces what was told."""
    return job_attempts.keep_tests(_job(), body["tests"], settings=application.settings())


@bp.put("/<id:attempt_id>/files/<path:name>")
@requires_attempt("job")
@bp.response(200, StandingSchema, unit=False)
@bp.fails(400, 401, 404, 409, 413, 415, 429, 503)
@bp.codes({409: "lease_lost job_ended"})
@bp.doc(requestBody={
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
})  # fmt: skip
def store_file(attempt_id: int, name: str) -> Any:
    """Keep a file that a job left behind: `name` is its path below the project."""
    parsing.expect_type("application/octet-stream", largest=MOST_FILE_BYTES)
    return job_attempts.keep_file(
        _job(),
        name,
        request.stream,
        settings=application.settings(),
        repository=application.repository(),
    )


@bp.put("/<id:attempt_id>/reports")
@requires_attempt("job")
@bp.body(ReportsSchema)
@bp.response(200, StandingSchema)
@bp.fails(400, 401, 409, 429)
@bp.codes({409: "lease_lost job_ended"})
def report_reports(body: dict[str, Any], attempt_id: int) -> Any:
    """Tell which kept files were read as reports, and the coverage that they told."""
    return job_attempts.keep_reports(_job(), settings=application.settings(), **body)


@bp.get("/<id:attempt_id>/source")
@requires_attempt("job")
@bp.response(200, content_type="application/octet-stream", description="The archive", unit=False)
@bp.alt_response(206, description="The part that Range asked for")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 401, 404, 416, 429, 503)
def get_attempt_source(attempt_id: int) -> Any:
    """Get the archive of a job. A `Range` header is obeyed."""
    return send(application.repository(), job_attempts.source_key(_job()), "source.zip")


@bp.get("/<id:attempt_id>/samples/<id:sample_id>")
@requires_attempt("run")
@bp.response(200, content_type="application/octet-stream", description="The media file", unit=False)
@bp.alt_response(206, description="The part that Range asked for")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 401, 404, 416, 429, 503)
def get_attempt_sample(attempt_id: int, sample_id: int) -> Any:
    """Get the media file of a sample.

    A `Range` header is obeyed, so that a download that broke off can go on.
    """
    return send(application.repository(), attempts.sample_key(sample_id), f"sample-{sample_id}")


def _told_with_files() -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON of a report and its files by their parts' names; most come without any, as JSON."""
    parsing.expect_type("application/json", "multipart/form-data")
    if request.mimetype == "application/json":
        return parsing.read_object(parsing.whole_body()), {}
    settings = application.settings()
    parsing.expect_type("multipart/form-data", largest=settings.max_upload)
    # Parts that are no files are held in memory, however many come.
    request.max_form_parts = 1 + MOST_OUTPUTS
    told = parsing.json_part("result", most=settings.max_body)
    files = parsing.file_parts(besides="result")
    return told, {part: upload.stream for part, upload in files.items()}


def _keep_log(run_id: int, response: Response) -> Response:
    """The log is final once the attempt's end is committed: keep it, in the background."""
    if response.status_code == 200:
        app = application.current()
        log_archive.keep_later(app, run_id)
    return response


def _hold() -> AttemptCredential:
    hold: AttemptCredential = g.attempt
    return hold


def _job() -> JobCredential:
    hold: JobCredential = g.attempt
    return hold


def _service() -> Any:
    """The module that serves this kind of attempt; both have the same functions."""
    return job_attempts if isinstance(g.attempt, JobCredential) else attempts
