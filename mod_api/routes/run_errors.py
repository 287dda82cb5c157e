"""Errors of runs: of tests, of the infrastructure, and counted in groups."""

from typing import Any

from flask import Response, current_app, request

from config import Settings
from errors import Forbidden
from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import current_caller, requires
from mod_api.middleware.files import shelf
from mod_api.middleware.resource import Resource
from mod_api.schemas.outputs import DiffListQuery, OutputDiffSchema
from mod_api.schemas.pages import KeysetPaginationSchema, page_of
from mod_api.schemas.report import ReportQuery, ReportSchema
from mod_api.schemas.run_errors import (
    ErrorItemSchema,
    ErrorListQuery,
    ErrorSummaryBucketSchema,
    ErrorSummaryQuery,
    InfrastructureErrorQuery,
    InfrastructureErrorSchema,
)
from mod_api.services.errors import infrastructure, run_errors
from mod_api.services.keyset import PageRequest
from mod_api.services.report import gathering, texts
from mod_api.services.runs import run_diffs, runs
from mod_auth import permissions
from mod_auth.scopes import Scope
from mod_test.error_groups import Grouping
from mod_test.errors_of_runs import ErrorFilter
from mod_test.errors_of_tests import ErrorType, Severity

bp = Resource("Errors", __name__, url_prefix="/runs", description="What went wrong in runs")


FORMS = {"json": "application/json", "markdown": "text/markdown", "text": "text/plain"}
CONTENT = {
    "application/json": {"schema": ReportSchema},
    "text/markdown": {"schema": {"type": "string"}},
    "text/plain": {"schema": {"type": "string"}},
}


@bp.get("/<id:run_id>/report")
@requires(Scope.RESULTS_READ)
@bp.query(ReportQuery)
@bp.response(200, ReportSchema)
@bp.doc(responses={"200": {"description": "The report", "content": CONTENT}})
@bp.fails(400, 401, 403, 404, 429)
def get_report(run_id: int, format: str | None = None, limit: int | None = None) -> Any:
    """Tell why a run failed and what of it is new, in at most 4 kB.

    As JSON, Markdown (`text/markdown`) or plain text (`text/plain`), by `format` or `Accept`. Tests
    are told with their first error; those that are new come first.
    """
    report = gathering.gather(
        run_id,
        main_repository=application.settings().main_repository,
        most=limit or texts.MOST_FITTING,
    )
    kind = FORMS.get(format or "") or request.accept_mimetypes.best_match(
        list(FORMS.values()), default=FORMS["json"]
    )
    if kind == FORMS["json"]:
        return texts.fitting_object(report, limit, base_url())
    render = texts.as_markdown if kind == FORMS["markdown"] else texts.as_text
    response = Response(texts.fitting(report, limit, render), content_type=f"{kind}; charset=utf-8")
    response.vary.add("Accept")
    return response


@bp.get("/<id:run_id>/errors")
@requires(Scope.RESULTS_READ)
@bp.query(ErrorListQuery)
@bp.response(200, page_of(ErrorItemSchema, KeysetPaginationSchema))
@bp.fails(400, 401, 403, 404, 429)
def list_errors(
    run_id: int,
    limit: int,
    offset: int,
    cursor: str | None = None,
    type: str | None = None,
    severity: str | None = None,
    caption_change: str | None = None,
    **ids: int,
) -> Any:
    """List what went wrong in a run's tests: wrong exit codes, differing and missing outputs."""
    settings: Settings = current_app.extensions["settings"]
    wanted = ErrorFilter(ErrorType(type) if type else None, _severity(severity), **ids)
    window = PageRequest(limit, settings.secret_key.encode(), offset, cursor)
    return run_errors.list_errors(
        run_id, wanted, window, base=base_url(), caption_change=caption_change
    )


@bp.get("/<id:run_id>/diffs")
@requires(Scope.RESULTS_READ)
@bp.query(DiffListQuery)
@bp.response(200, page_of(OutputDiffSchema, KeysetPaginationSchema), unit=False)
@bp.fails(400, 401, 403, 404, 429)
def list_diffs(
    run_id: int,
    limit: int,
    offset: int,
    cursor: str | None = None,
    sample_id: int | None = None,
    regression_id: int | None = None,
) -> Any:
    """List how a run's differing outputs differ from their baselines, in the terms of captions."""
    settings: Settings = current_app.extensions["settings"]
    window = PageRequest(limit, settings.secret_key.encode(), offset, cursor)
    wanted = run_diffs.differing(sample_id, regression_id)
    return run_diffs.list_diffs(run_id, wanted, window, shelf())


@bp.get("/<id:run_id>/infrastructure-errors")
@requires(Scope.SYSTEM_READ)
@bp.query(InfrastructureErrorQuery)
@bp.response(200, page_of(InfrastructureErrorSchema))
@bp.fails(400, 401, 403, 404, 429)
def list_infrastructure_errors(
    run_id: int,
    limit: int,
    offset: int,
    include_stack: bool,
    type: str | None = None,
    severity: str | None = None,
) -> Any:
    """List what went wrong around a run: machines, checkout, merge, build, storage, queue."""
    caller = current_caller()
    if include_stack and not permissions.may_see_stacks(caller.account, caller.scopes):
        raise Forbidden("Stacks are shown to admins and contributors.", role=caller.account.role)
    return infrastructure.list_errors(
        runs.get_row(run_id),
        type=type,
        severity=severity,
        include_stack=include_stack,
        limit=limit,
        offset=offset,
    )


@bp.get("/<id:run_id>/error-summary")
@requires(Scope.RESULTS_READ)
@bp.query(ErrorSummaryQuery)
@bp.response(200, page_of(ErrorSummaryBucketSchema))
@bp.fails(400, 401, 403, 404, 429)
def summarize_errors(
    run_id: int, limit: int, offset: int, group_by: str, severity: str | None = None
) -> Any:
    """Count a run's test errors in groups, the largest first."""
    return run_errors.summary(
        run_id,
        Grouping(group_by),
        ErrorFilter(severity=_severity(severity)),
        limit=limit,
        offset=offset,
    )


def _severity(word: str | None) -> Severity | None:
    return Severity(word) if word else None
