"""Media samples, and how their regression tests went over time."""

from typing import Any

from flask import current_app

from mod_api.middleware.auth import requires
from mod_api.middleware.headers import base_url
from mod_api.middleware.resource import Resource
from mod_api.schemas.pages import page_of
from mod_api.schemas.samples import SampleListQuery, SampleSchema
from mod_api.services import samples
from mod_api.services.samples import SampleFilter
from mod_auth.scopes import Scope
from mod_sample.storage import Repository

bp = Resource(
    "Samples",
    __name__,
    url_prefix="/samples",
    description="Media samples and their regression tests",
)


@bp.get("")
@requires(Scope.RUNS_READ)
@bp.query(SampleListQuery)
@bp.response(200, page_of(SampleSchema))
@bp.fails(400, 401, 403, 429)
def list_samples(limit: int, offset: int, status: str | None = None, **wanted: Any) -> Any:
    """List media samples."""
    asked = SampleFilter(active=None if status is None else status == "active", **wanted)
    return samples.list_samples(asked, limit=limit, offset=offset, base=base_url())


@bp.get("/<id:sample_id>")
@requires(Scope.RUNS_READ)
@bp.response(200, SampleSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429)
def get_sample(sample_id: int) -> Any:
    """Get a media sample with what is known of the file."""
    return samples.get_sample(sample_id, repository=_repository(), base=base_url())


def _repository() -> Repository:
    repository: Repository = current_app.extensions["repository"]
    return repository
