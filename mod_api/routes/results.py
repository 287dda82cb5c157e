"""The regression tests of a run, and how each ended."""

from typing import Any

from mod_api.application import base_url
from mod_api.middleware.auth import requires
from mod_api.middleware.resource import Resource
from mod_api.schemas.pages import page_of
from mod_api.schemas.results import ResultListQuery, RunSampleDetailSchema, RunSampleSchema
from mod_api.services.results import results
from mod_auth.scopes import Scope
from mod_test.run_tests import ResultFilter
from mod_test.verdict import ResultStatus

bp = Resource("Results", __name__, url_prefix="/runs", description="The regression tests of a run")


@bp.get("/<id:run_id>/samples")
@requires(Scope.RUNS_READ)
@bp.query(ResultListQuery)
@bp.response(200, page_of(RunSampleSchema), etag=True)
@bp.fails(400, 401, 403, 404, 429)
def list_results(
    run_id: int, limit: int, offset: int, status: str | None = None, **wanted: Any
) -> Any:
    """List the regression tests of a run, also those without a result."""
    asked = ResultFilter(status=ResultStatus(status) if status else None, **wanted)
    return results.list_results(run_id, asked, limit=limit, offset=offset, base=base_url())


@bp.get("/<id:run_id>/samples/<id:sample_id>")
@requires(Scope.RUNS_READ)
@bp.response(200, RunSampleDetailSchema, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_result(run_id: int, sample_id: int) -> Any:
    """Get one regression test of a run (`sample_id` is the result's id, the regression test's)."""
    return results.get_result(run_id, sample_id, base=base_url())
