"""Categories of regression tests and tags of samples. The official client `sp` lists them."""

from typing import Any

from mod_api.middleware.auth import requires
from mod_api.middleware.resource import Resource
from mod_api.schemas.labels import CategorySchema, TagSchema
from mod_api.schemas.pages import OffsetQuery, page_of
from mod_api.services import labels
from mod_auth.scopes import Scope

bp = Resource("Labels", __name__, description="Categories of regression tests, tags of samples")


@bp.get("/categories")
@requires(Scope.RUNS_READ)
@bp.query(OffsetQuery)
@bp.response(200, page_of(CategorySchema))
@bp.fails(400, 401, 403, 429)
def list_categories(limit: int, offset: int) -> Any:
    """List the categories of regression tests, by name."""
    return labels.list_categories(limit=limit, offset=offset)


@bp.get("/tags")
@requires(Scope.RUNS_READ)
@bp.query(OffsetQuery)
@bp.response(200, page_of(TagSchema))
@bp.fails(400, 401, 403, 429)
def list_tags(limit: int, offset: int) -> Any:
    """List the tags of samples, by name."""
    return labels.list_tags(limit=limit, offset=offset)
