"""Media samples, and how their regression tests went over time."""

from typing import Any

from mod_api import application
from mod_api.application import base_url
from mod_api.middleware.auth import requires
from mod_api.middleware.page_request import window
from mod_api.middleware.resource import Resource
from mod_api.schemas.history import HistoryPage, HistoryQuery
from mod_api.schemas.pages import page_of
from mod_api.schemas.runs import run_filter
from mod_api.schemas.samples import SampleListQuery, SampleSchema
from mod_api.services import samples
from mod_api.services.results import history
from mod_api.services.samples import SampleFilter
from mod_auth.scopes import Scope
from mod_test.history.entries import HistoryFilter
from mod_test.verdict import ResultStatus

bp = Resource(
    "Samples",
    __name__,
    url_prefix="/samples",
    description="Media samples and their regression tests",
)


@bp.get("")
@requires(Scope.RUNS_READ)
@bp.query(SampleListQuery)
@bp.response(200, page_of(SampleSchema), etag=True)
@bp.fails(400, 401, 403, 429)
def list_samples(limit: int, offset: int, status: str | None = None, **wanted: Any) -> Any:
    """List media samples."""
    asked = SampleFilter(active=None if status is None else status == "active", **wanted)
    return samples.list_samples(asked, limit=limit, offset=offset, base=base_url())


@bp.get("/<id:sample_id>")
@requires(Scope.RUNS_READ)
@bp.response(200, SampleSchema, unit=False, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_sample(sample_id: int) -> Any:
    """Get a media sample with what is known of the file."""
    return samples.get_sample(sample_id, repository=application.repository(), base=base_url())


@bp.get("/<id:sample_id>/history")
@requires(Scope.RUNS_READ)
@bp.query(HistoryQuery)
@bp.response(200, HistoryPage)
@bp.fails(400, 401, 403, 404, 429)
def get_history(
    sample_id: int,
    limit: int,
    offset: int,
    cursor: str | None = None,
    result_status: str | None = None,
    regression_id: int | None = None,
    **of_run: Any,
) -> Any:
    """Get how a sample's regression tests went in ended runs, newest run first."""
    wanted = HistoryFilter(
        runs=run_filter(**of_run),
        result_status=ResultStatus(result_status) if result_status else None,
        regression_id=regression_id,
    )
    return history.history(sample_id, wanted, window(limit, offset, cursor), base=base_url())
