"""The files of a run, each with where it is and an address to fetch it from."""

from typing import Any

from mod_api.middleware.auth import current_caller, requires
from mod_api.middleware.files import shelf
from mod_api.middleware.resource import Resource
from mod_api.schemas.artifacts import ArtifactQuery, ArtifactSchema
from mod_api.schemas.pages import page_of
from mod_api.services.outputs import artifacts
from mod_auth.scopes import Scope

bp = Resource("Artifacts", __name__, url_prefix="/runs", description="The files of runs")


@bp.get("/<id:run_id>/artifacts")
@requires(Scope.RESULTS_READ)
@bp.query(ArtifactQuery)
@bp.response(200, page_of(ArtifactSchema), unit=False)
@bp.fails(400, 401, 403, 404, 429)
def list_artifacts(run_id: int, limit: int, offset: int, type: str | None = None) -> Any:
    """List the files that a run should have left. What is in no storage has no `download_url`.

    A `build_log` has one only for a token with `system:read`, which `/logs` needs as well.
    """
    return artifacts.list_artifacts(
        run_id,
        type=type,
        limit=limit,
        offset=offset,
        shelf=shelf(),
        with_logs=Scope.SYSTEM_READ in current_caller().scopes,
    )
