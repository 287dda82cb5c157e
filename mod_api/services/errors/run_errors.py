"""The test errors of a run, one by one and counted in groups."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mod_api.services import keyset, links
from mod_api.services.keyset import PageRequest
from mod_api.services.outputs import caption_changes
from mod_api.services.paging import Page, page
from mod_api.services.runs import runs
from mod_regression.classifications import Classification, Pair
from mod_test.error_groups import Bucket, Grouping, buckets
from mod_test.errors_of_runs import ErrorFilter, errors_of
from mod_test.errors_of_tests import ErrorType, TestError

Known = dict[Pair, Classification]


def list_errors(
    run_id: int,
    wanted: ErrorFilter,
    window: PageRequest,
    *,
    base: str,
    caption_change: str | None = None,
) -> Page[dict[str, Any]]:
    """One page of a run's test errors, by regression test, with the exact number of all.

    `caption_change` is a kind of change in captions, as it is classified by today's rules. Raises
    NotFound, and Invalid for the cursor.
    """
    run = runs.get_row(run_id)
    asked = {**asdict(wanted), "caption_change": caption_change, "run": run_id}
    place = keyset.place_of(window, kind="errors", wanted=asked, keys=3)
    errors = errors_of(run, wanted)
    if caption_change is not None:
        known = _classified(errors)
        errors = [error for error in errors if _change(error, known) == caption_change]
    found = place.page_among(errors, lambda error: error.place)
    known = _classified(found.data)
    return found.showing([_shown(error, _known(error, known), base) for error in found.data])


def summary(
    run_id: int, by: Grouping, wanted: ErrorFilter, *, limit: int, offset: int
) -> Page[Bucket]:
    """One page of groups of a run's test errors, the largest first; their counts add up to the
    number of errors. Raises NotFound."""
    groups = buckets(errors_of(runs.get_row(run_id), wanted), by)
    return page(groups[offset : offset + limit], total=len(groups), limit=limit, offset=offset)


def sentences(errors: Sequence[TestError]) -> list[str]:
    """What each error says, with how the captions changed where that is known."""
    known = _classified(errors)
    return [_message(error, _known(error, known)) for error in errors]


def _classified(errors: Sequence[TestError]) -> Known:
    pairs = map(_pair, errors)
    return caption_changes.kept_of_all(pair for pair in pairs if pair)


def _known(error: TestError, known: Known) -> Classification | None:
    pair = _pair(error)
    return known.get(pair) if pair else None


def _change(error: TestError, known: Known) -> str | None:
    found = _known(error, known)
    return None if found is None else found.kind


def _pair(error: TestError) -> Pair | None:
    """The two contents of a differing output."""
    if error.type is not ErrorType.diff_mismatch or not error.correct or not error.actual:
        return None
    return Pair.of(error.correct, error.actual, error.extension or "")


def _message(error: TestError, captions: Classification | None) -> str:
    if captions is not None and captions.message:
        return f"{error.message} {captions.message}"
    return error.message


def _shown(error: TestError, captions: Classification | None, base: str) -> dict[str, Any]:
    return {
        "error_id": error.error_id,
        "run_id": error.run_id,
        "sample_id": error.sample_id,
        "sample_name": error.sample_name,
        "regression_id": error.regression_id,
        "command": error.command,
        "type": error.type,
        "severity": error.severity,
        "message": _message(error, captions),
        "location": _location(error, captions),
        "caption_change": captions.kind if captions else None,
        "occurred_at": error.occurred_at,
        "links": _links(error, base),
    }


def _links(error: TestError, base: str) -> dict[str, str]:
    sample_id = error.sample_id or 0  # each test of a set has one
    of = links.of_result(error.run_id, error.regression_id, sample_id, base)
    found = {"result": of["self"], "logs": of["logs"], "regression_test": of["regression_test"]}
    if error.output_id is not None:
        place = error.run_id, sample_id, error.regression_id, error.output_id
        found |= links.of_output(*place, base)
    return found


def _location(error: TestError, captions: Classification | None) -> dict[str, Any] | None:
    if error.type.is_of_exit:
        return {
            "exit_code": error.exit_code,
            "expected_exit_code": error.expected_exit_code,
            "outcome": error.outcome,
            "signal": error.signal,
        }
    if error.output_id is None:
        return None
    cue = {} if captions is None or captions.cue_number is None else _cue(captions)
    return {
        "output_id": error.output_id,
        "filename": error.filename,
        "expected_hash": error.correct,
        "expected_hash_at_run": error.expected_at_run,
        "actual_hash": error.actual,
        **cue,
    }


def _cue(captions: Classification) -> dict[str, Any]:
    """The first changed cue of the gravest kind."""
    return {"cue": captions.cue_number, "start_ms": captions.start_ms}
