"""The differences of all outputs of a run, in terms of captions, many in one answer."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from database import reading
from mod_api.services import keyset
from mod_api.services.keyset import PageRequest
from mod_api.services.outputs import caption_changes
from mod_api.services.outputs.downloads import FileAccess
from mod_api.services.outputs.file_names import filename_of, hash_of
from mod_api.services.paging import Page
from mod_api.services.runs import runs
from mod_regression.changes import ChangeKind
from mod_regression.classifications import Classification, Pair
from mod_test.errors_of_runs import ErrorFilter, errors_of
from mod_test.errors_of_tests import ErrorType, TestError
from mod_test.rollup.settle import settled_reading


def list_diffs(
    run_id: int, wanted: ErrorFilter, window: PageRequest, shelf: FileAccess
) -> Page[Any]:
    """List a page of a run's differing outputs, by regression test and output.

    Small pairs that nobody looked at before are compared at once, as many as a second allows;
    others have `compared` false until their own difference is asked for. Raises NotFound, and
    Invalid for the cursor.
    """
    with settled_reading():
        asked = {
            "sample_id": wanted.sample_id,
            "regression_id": wanted.regression_id,
            "run": run_id,
        }
        place = keyset.place_of(window, kind="diffs", wanted=asked, keys=3)
        found = place.page_among(errors_of(runs.get_row(run_id), wanted), lambda one: one.place)
        known = caption_changes.detailed_of_all(filter(None, map(_pair, found.data)))
    lacking = [
        (error.correct or "", error.actual or "", error.extension or "")
        for error in found.data
        if (pair := _pair(error)) and pair not in known
    ]
    if lacking:
        caption_changes.note(shelf.repository, lacking)
        with reading():
            known |= caption_changes.detailed_of_all(Pair.of(*output) for output in lacking)
    return found.showing([_shown(error, known, shelf) for error in found.data])


def differing(sample_id: int | None, regression_id: int | None) -> ErrorFilter:
    """The filter that takes differing outputs."""
    return ErrorFilter(ErrorType.diff_mismatch, None, sample_id, regression_id)


def group_of(captions: Mapping[str, Any]) -> str | None:
    """What changed, as a short key that is the same wherever the same changed.

    None for a file of several kinds of changes, and where not all of them are told.
    """
    kind = captions["kind"]
    if len(captions["kinds"]) > 1 or captions["truncated"]:
        return None
    what: list[Any] = [captions["shift_ms"], captions["rate"]]
    if kind not in (ChangeKind.TIMING_SHIFT, ChangeKind.TIMING_DRIFT):
        words = {
            (word["expected"], word["actual"])
            for cue in captions["changed"]
            for word in cue["words"]
        }
        if not words:
            return None
        what = sorted(words)
    told = json.dumps([kind, what], ensure_ascii=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _pair(error: TestError) -> Pair | None:
    if not (error.correct and error.actual):
        return None
    return Pair.of(error.correct, error.actual, error.extension or "")


def _shown(
    error: TestError, known: dict[Pair, Classification], shelf: FileAccess
) -> dict[str, Any]:
    pair = _pair(error)
    found = known.get(pair) if pair else None
    base = f"{shelf.base}/runs/{error.run_id}/samples/{error.sample_id}"
    captions = caption_changes.details(found)
    query = f"regression_id={error.regression_id}&output_id={error.output_id}"
    return {
        "run_id": error.run_id,
        "sample_id": error.sample_id,
        "sample_name": error.sample_name,
        "regression_id": error.regression_id,
        "command": error.command,
        "output_id": error.output_id,
        "filename": filename_of(error.filename, error.extension or ""),
        "expected_hash": hash_of(error.correct),
        "actual_hash": hash_of(error.actual),
        "compared": found is not None,
        "captions": captions,
        "group": group_of(captions) if captions else None,
        "links": {"diff": f"{base}/diff?{query}"},
    }
