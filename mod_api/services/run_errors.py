"""The test errors of a run, one by one and counted in groups."""

import functools
from dataclasses import asdict
from typing import Any

from sqlalchemy import Select

from mod_api.services import caption_changes, keyset, runs
from mod_api.services.keyset import Key, Window
from mod_api.services.paging import Page, page
from mod_regression.classifications import Classification, Pair
from mod_test import error_groups, error_rows
from mod_test.error_groups import Bucket, Grouping
from mod_test.error_rows import ErrorFilter
from mod_test.errors_of_tests import ErrorType, TestError


def list_errors(run_id: int, wanted: ErrorFilter, window: Window) -> Page[dict[str, Any]]:
    """One page of a run's test errors, by regression test, with the exact number of all.

    Raises NotFound, and Invalid for the cursor.
    """
    run = runs.get_row(run_id)
    params, is_kept = error_rows.params_of(run, wanted), run.set_id is not None
    given = frozenset(wanted.params)
    statement, order = error_rows.selecting(given, is_kept=is_kept)
    total: int | Select[Any] = error_rows.counting(given, is_kept=is_kept)
    if is_kept and not given and run.errors is not None:
        total = run.errors
    found = keyset.select_page(
        statement,
        _keys(order),
        window,
        total=total,
        kind="errors",
        wanted={**asdict(wanted), "run": run_id},
        params=params,
    )
    errors = [error_rows.as_error(row, run) for row in found.data]
    pairs = [_pair(error) for error in errors]
    known = caption_changes.kept_of_all(pair for pair in pairs if pair)
    return found.showing(
        [
            _shown(error, known.get(pair) if pair else None)
            for error, pair in zip(errors, pairs, strict=True)
        ]
    )


@functools.cache
def _keys(order: tuple[Any, ...]) -> tuple[Key, ...]:
    return tuple(Key(column) for column in order)


def summary(
    run_id: int, by: Grouping, wanted: ErrorFilter, *, limit: int, offset: int
) -> Page[Bucket]:
    """One page of groups of a run's test errors, the largest first; their counts add up to the
    number of errors. Raises NotFound."""
    run = runs.get_row(run_id)
    groups, total = error_groups.buckets(run, by, wanted, limit=limit, offset=offset)
    return page(groups, total=total, limit=limit, offset=offset)


def _pair(error: TestError) -> Pair | None:
    """The two contents of a differing output."""
    if error.type is not ErrorType.diff_mismatch or not error.correct or not error.actual:
        return None
    return Pair.of(error.correct, error.actual, error.extension or "")


def _shown(error: TestError, captions: Classification | None) -> dict[str, Any]:
    message = error.message
    if captions is not None and captions.message:
        message = f"{message} {captions.message}"
    return {
        "error_id": error.error_id,
        "run_id": error.run_id,
        "sample_id": error.sample_id,
        "regression_id": error.regression_id,
        "type": error.type,
        "severity": error.severity,
        "message": message,
        "location": _location(error, captions),
        "caption_change": captions.kind if captions else None,
        "occurred_at": error.occurred_at,
    }


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
