"""Regression tests as they are defined today."""

from typing import Any

from mod_api.middleware.auth import requires
from mod_api.middleware.files import shelf
from mod_api.middleware.resource import Resource
from mod_api.schemas.pages import page_of
from mod_api.schemas.regression_tests import (
    RegressionTestListQuery,
    RegressionTestQuery,
    RegressionTestSchema,
)
from mod_api.services import regression_tests
from mod_api.services.regression_tests import CatalogueFilter
from mod_auth.scopes import Scope

bp = Resource(
    "Regression tests",
    __name__,
    url_prefix="/regression-tests",
    description="The catalogue: commands on samples, and what they should produce",
)


@bp.get("")
@requires(Scope.RUNS_READ)
@bp.query(RegressionTestListQuery)
@bp.response(200, page_of(RegressionTestSchema), unit=False, etag=True)
@bp.fails(400, 401, 403, 429)
def list_regression_tests(limit: int, offset: int, **wanted: Any) -> Any:
    """List regression tests, active and inactive ones unless filtered."""
    return regression_tests.list_regression_tests(
        CatalogueFilter(**wanted), limit=limit, offset=offset, shelf=shelf()
    )


@bp.get("/<id:regression_id>")
@requires(Scope.RUNS_READ)
@bp.query(RegressionTestQuery)
@bp.response(200, RegressionTestSchema, unit=False, etag=True)
@bp.fails(400, 401, 403, 404, 429)
def get_regression_test(regression_id: int, format: str) -> Any:
    """Get a regression test with the content of its expected outputs."""
    return regression_tests.get_regression_test(
        regression_id, as_text=format == "text", shelf=shelf()
    )
