"""Runs: list, start, look at, cancel, repeat."""

from typing import Any

from database import reading, written
from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import current_account, requires
from mod_api.middleware.page_request import window
from mod_api.middleware.resource import Resource, in_unit_of_work
from mod_api.schemas.comparison import ComparisonPage, ComparisonQuery
from mod_api.schemas.pages import KeysetPaginationSchema, page_of
from mod_api.schemas.runs import (
    IdempotencyHeaders,
    ListedRunSchema,
    ProgressEventSchema,
    ProgressQuery,
    ReasonSchema,
    RetrySchema,
    RunActionResultSchema,
    RunConfigSchema,
    RunCreateRequestSchema,
    RunListQuery,
    RunQuery,
    RunSchema,
    RunSummarySchema,
    run_filter,
)
from mod_api.services import idempotency
from mod_api.services.runs import progress, run_actions, run_comparison, run_config, runs
from mod_api.services.runs.runs import RunView
from mod_auth.models import Role
from mod_auth.scopes import Scope
from mod_test.comparison import Change
from mod_test.verdict import RunStatus

bp = Resource(
    "Runs", __name__, url_prefix="/runs", description="Runs: list, inspect, start, cancel, retry"
)
TRUSTED = (Role.admin, Role.tester, Role.contributor)


@bp.get("")
@requires(Scope.RUNS_READ)
@bp.query(RunListQuery)
@bp.response(200, page_of(ListedRunSchema, KeysetPaginationSchema))
@bp.fails(400, 401, 403, 429)
def list_runs(
    sort: str,
    limit: int,
    offset: int,
    cursor: str | None = None,
    include: str | None = None,
    **wanted: Any,
) -> Any:
    """List runs, newest first unless sorted otherwise."""
    return runs.list_runs(
        run_filter(**wanted),
        sort=sort,
        window=window(limit, offset, cursor),
        base=base_url(),
        with_summary=include == "summary",
    )


@bp.post("")
@requires(Scope.RUNS_WRITE, *TRUSTED, own_resource=True)
@bp.arguments(IdempotencyHeaders, location="headers")
@bp.body(RunCreateRequestSchema)
@bp.response(202, RunSchema, unit=False)
@bp.fails(400, 401, 403, 409, 413, 415, 422, 429, 503)
@bp.codes(
    {403: "blocked", 409: "at_work", 422: "idempotency_key_reused", 503: "github_unavailable"}
)
def create_run(headers: dict[str, Any], body: dict[str, Any]) -> Any:
    """Queue a run of a commit. Any account may start runs of its own fork.

    If we do not know who owns the fork, we ask GitHub; where GitHub does not answer within three
    seconds, the request is 503 `github_unavailable`.
    """
    by = current_account()
    with idempotency.taken(by.id, headers.get("idempotency_key"), body) as key:
        if key is not None and key.run_id is not None:
            with reading():
                return runs.get(key.run_id, base=base_url())
        starter = run_actions.known_to_github(by, application.settings(), body["repository"])

        def work() -> RunView:
            run = run_actions.create(
                by=starter, settings=application.settings(), base=base_url(), **body
            )
            if key is not None:
                key.answered_with(run_id=run.run_id)
            return run

        return written(work)


@bp.get("/<id:run_id>")
@requires(Scope.RUNS_READ)
@bp.query(RunQuery)
@bp.response(200, RunSchema, unit=False, etag=True)
@bp.fails(400, 401, 403, 404, 429, 503)
def get_run(run_id: int, wait: int, status: str | None = None) -> Any:
    """Get a run, now or as soon as its status changes."""
    if wait:
        known = RunStatus(status) if status else None
        runs.wait_for_change(run_id, wait, known=known, most=application.settings().max_waiters)
    return in_unit_of_work(runs.get, run_id, base=base_url())


@bp.get("/<id:run_id>/summary")
@requires(Scope.RUNS_READ)
@bp.response(200, RunSummarySchema, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_summary(run_id: int) -> Any:
    """Get a run's counts."""
    return runs.summary(run_id)


@bp.get("/<id:run_id>/compare")
@requires(Scope.RUNS_READ)
@bp.query(ComparisonQuery)
@bp.response(200, ComparisonPage, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def compare_runs(
    run_id: int, limit: int, offset: int, to: int | None = None, change: str | None = None
) -> Any:
    """Compare a run with another one, test by test: what it fixed, what it broke.

    Without `to` the other one is the newest ended run of the main branch on the same platform that
    was started before this run. The first run of a platform has none: `to` is null and the page
    empty.
    """
    return run_comparison.compare(
        run_id,
        to,
        change=Change(change) if change else None,
        main_repository=application.settings().main_repository,
        limit=limit,
        offset=offset,
        base=base_url(),
    )


@bp.get("/<id:run_id>/progress")
@requires(Scope.RUNS_READ)
@bp.query(ProgressQuery)
@bp.response(200, page_of(ProgressEventSchema))
@bp.fails(400, 401, 403, 404, 429)
def get_progress(run_id: int, limit: int, offset: int, status: str | None = None) -> Any:
    """Get a run's progress events, oldest first."""
    return progress.list_events(run_id, status=status, limit=limit, offset=offset)


@bp.get("/<id:run_id>/config")
@requires(Scope.RUNS_READ)
@bp.response(200, RunConfigSchema, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_config(run_id: int) -> Any:
    """Get a run's environment and its matrix of regression tests."""
    return run_config.config(run_id)


@bp.post("/<id:run_id>/cancel")
@requires(Scope.RUNS_WRITE, *TRUSTED, own_resource=True)
@bp.body(ReasonSchema, required=False)
@bp.response(202, RunActionResultSchema)
@bp.fails(400, 401, 403, 404, 415, 429)
def cancel_run(body: dict[str, Any], run_id: int) -> Any:
    """Cancel a queued or running run; one that has ended stays as it is."""
    return run_actions.cancel(run_id, by=current_account(), **body)


@bp.post("/<id:run_id>/retry")
@requires(Scope.RUNS_WRITE, *TRUSTED, own_resource=True)
@bp.body(RetrySchema, required=False)
@bp.response(202, RunActionResultSchema)
@bp.fails(400, 401, 403, 404, 415, 422, 429)
@bp.codes({403: "blocked"})
def retry_run(body: dict[str, Any], run_id: int) -> Any:
    """Queue a new run of the same commit, set and platform; the source stays as it is."""
    return run_actions.retry(run_id, by=current_account(), settings=application.settings(), **body)
