"""The platform itself: index, health, queue, branches and environments."""

from typing import Any

from flask import current_app, jsonify

from mod_api import application
from mod_api.middleware.auth import open_to_all, requires
from mod_api.middleware.errors import RETRY_AFTER
from mod_api.middleware.resource import Resource
from mod_api.routes import root
from mod_api.schemas.fields import Number
from mod_api.schemas.pages import page_of
from mod_api.schemas.runs import EnvironmentSchema
from mod_api.schemas.system import (
    BranchQuery,
    BranchSchema,
    EnvironmentQuery,
    IndexSchema,
    QueueJobSchema,
    QueueQuery,
    SystemHealthSchema,
)
from mod_api.services.system import branches, environments, health, queue_view
from mod_auth.scopes import Scope

HEALTH = SystemHealthSchema()

bp = Resource("System", __name__, description="Health, queue, branches, environments")


@bp.get("/")
@open_to_all()
@bp.response(200, IndexSchema, unit=False)
@bp.doc(responses={"200": {"description": "The index", "content": root.CONTENT}})
@bp.fails(429)
def get_index() -> Any:
    """Get the API's name, version and links.

    Needs no token. Clients that prefer HTML, as browsers do, get a page with the same links.
    """
    return root.index()


@bp.get("/system/health")
@open_to_all()
@bp.response(200, SystemHealthSchema, unit=False)
@bp.alt_response(
    503, schema=SystemHealthSchema, description="The service cannot serve", success=False
)
@bp.fails(429)
def get_health() -> Any:
    """Check every dependency and report overall health."""
    state, status = health.health(application.repository(), current_app.extensions["health_probes"])
    response = jsonify(HEALTH.dump(state))
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


@bp.get("/system/queue")
@requires(Scope.SYSTEM_READ)
@bp.query(QueueQuery)
@bp.response(
    200, page_of(QueueJobSchema, queue_depth=Number(least=0), running_count=Number(least=0))
)
@bp.fails(400, 401, 403, 429)
def get_queue(
    limit: int, offset: int, platform: str | None = None, status: str | None = None
) -> Any:
    """What runs and what waits, with exact counts and the position of every waiting run."""
    return queue_view.jobs(platform=platform, status=status, limit=limit, offset=offset)


@bp.get("/branches")
@requires(Scope.RUNS_READ)
@bp.query(BranchQuery)
@bp.response(200, page_of(BranchSchema))
@bp.fails(400, 401, 403, 429)
def list_branches(
    limit: int,
    offset: int,
    repository: str | None = None,
    name: str | None = None,
    active: bool | None = None,
) -> Any:
    """List the branches that runs were started of, by repository and name."""
    return branches.list_branches(
        repository=repository, name=name, active=active, limit=limit, offset=offset
    )


@bp.get("/environments")
@requires(Scope.RUNS_READ)
@bp.query(EnvironmentQuery)
@bp.response(200, page_of(EnvironmentSchema))
@bp.fails(400, 401, 403, 429)
def list_environments(
    limit: int, offset: int, platform: str | None = None, active: bool | None = None
) -> Any:
    """List the platforms that runs are executed on; their ids are what POST /runs takes."""
    return environments.list_environments(
        platform=platform, active=active, limit=limit, offset=offset
    )
