"""Outputs of a run: the file that was expected, the one that came out, and their difference."""

from typing import Any

from flask import Response

from mod_api.middleware.auth import requires
from mod_api.middleware.files import shelf
from mod_api.middleware.resource import Resource
from mod_api.schemas.outputs import (
    DiffQuery,
    DiffSchema,
    NestedDiffQuery,
    NestedFileQuery,
    OutputFileQuery,
    OutputFileSchema,
)
from mod_api.services.outputs import output_diff, outputs
from mod_api.services.outputs.output_diff import CuesAsked
from mod_api.services.outputs.outputs import Address
from mod_auth.scopes import Scope

bp = Resource(
    "Outputs",
    __name__,
    url_prefix="/runs/<id:run_id>/samples/<id:sample_id>",
    description="Outputs, their differences and baselines",
)


@bp.get("/expected")
@requires(Scope.RESULTS_READ)
@bp.query(OutputFileQuery)
@bp.response(200, OutputFileSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "missing_expected"})
def get_expected(
    run_id: int, sample_id: int, regression_id: int, output_id: int, format: str
) -> Any:
    """Get the expected file: the baseline the output matched, else the current one."""
    address = Address(run_id, sample_id, regression_id, output_id)
    return outputs.expected(address, as_text=format == "text", shelf=shelf())


@bp.get("/actual")
@requires(Scope.RESULTS_READ)
@bp.query(OutputFileQuery)
@bp.response(200, OutputFileSchema, unit=False)
@bp.alt_response(204, description="The output is what was expected; /expected has it")
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "missing_actual missing_output not_started running skipped"})
def get_actual(run_id: int, sample_id: int, regression_id: int, output_id: int, format: str) -> Any:
    """Get what came out in the run, where it is not what was expected."""
    address = Address(run_id, sample_id, regression_id, output_id)
    found = outputs.actual(address, as_text=format == "text", shelf=shelf())
    return Response(status=204) if found is None else found


@bp.get("/regression-tests/<id:regression_id>/outputs/<id:output_id>/expected")
@requires(Scope.RESULTS_READ)
@bp.query(NestedFileQuery)
@bp.response(200, OutputFileSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "missing_expected"})
def get_nested_expected(
    run_id: int, sample_id: int, regression_id: int, output_id: int, format: str
) -> Any:
    """Get the expected file, as `/expected` does; the official client `sp` asks so."""
    address = Address(run_id, sample_id, regression_id, output_id)
    return outputs.expected(address, as_text=format == "text", shelf=shelf())


@bp.get("/regression-tests/<id:regression_id>/outputs/<id:output_id>/actual")
@requires(Scope.RESULTS_READ)
@bp.query(NestedFileQuery)
@bp.response(200, OutputFileSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "missing_actual missing_expected missing_output not_started running skipped"})
def get_nested_actual(
    run_id: int, sample_id: int, regression_id: int, output_id: int, format: str
) -> Any:
    """Get what came out in the run: where that is what was expected, the expected file.

    The official client `sp` asks so.
    """
    address = Address(run_id, sample_id, regression_id, output_id)
    as_text = format == "text"
    found = outputs.actual(address, as_text=as_text, shelf=shelf())
    return outputs.expected(address, as_text=as_text, shelf=shelf()) if found is None else found


@bp.get("/regression-tests/<id:regression_id>/outputs/<id:output_id>/diff")
@requires(Scope.RESULTS_READ)
@bp.query(NestedDiffQuery)
@bp.response(200, DiffSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
def get_nested_diff(
    run_id: int,
    sample_id: int,
    regression_id: int,
    output_id: int,
    context_lines: int,
    format: str,
) -> Any:
    """Get how an output differs from its baseline, as `/diff` does.

    The official client `sp` asks so, and reads the unified text in `content`.
    """
    address = Address(run_id, sample_id, regression_id, output_id)
    is_unified = format == "unified"
    found = output_diff.diff(
        address, context_lines=context_lines, unified=is_unified, shelf=shelf(), cues=None
    )
    content = {"content": found.get("unified", "")} if is_unified else {}
    return {**found, "format": format, **content}


@bp.get("/diff")
@requires(Scope.RESULTS_READ)
@bp.query(DiffQuery)
@bp.response(200, DiffSchema, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
def get_diff(
    run_id: int,
    sample_id: int,
    regression_id: int,
    output_id: int,
    context_lines: int,
    format: str,
    cues: str,
    cues_limit: int,
    cues_offset: int,
) -> Any:
    """Get how an output differs from its baseline, line by line and, of captions, cue by cue."""
    address = Address(run_id, sample_id, regression_id, output_id)
    return output_diff.diff(
        address,
        context_lines=context_lines,
        unified=format == "unified",
        shelf=shelf(),
        cues=CuesAsked(cues_limit, cues_offset) if cues == "all" else None,
    )
