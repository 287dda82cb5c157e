"""The difference of an output of a run from its baseline."""

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from errors import Unavailable
from mod_api.services.diff import Comparison
from mod_api.services.diff import Side as ComparedSide
from mod_api.services.outputs import caption_changes, file_pair
from mod_api.services.outputs.downloads import FileAccess, file_url
from mod_api.services.outputs.embedded_content import unavailable
from mod_api.services.outputs.file_names import filename_of, hash_of, output_key
from mod_api.services.outputs.file_pair import Difference, StoredOutput
from mod_api.services.outputs.outputs import Address, find, status_without_result
from mod_api.services.paging import Page, page
from mod_regression.classifications import Classification, Pair
from mod_sample.storage import NotStored
from mod_test.outputs import ComparedOutput
from mod_test.rollup.settle import settled_reading

IDENTICAL = Difference(Comparison(identical=True), None)


@dataclass(frozen=True)
class CuesAsked:
    """Which of all cues are asked for."""

    limit: int
    offset: int


def diff(
    address: Address,
    *,
    context_lines: int,
    unified: bool,
    shelf: FileAccess,
    cues: CuesAsked | None = None,
) -> dict[str, Any]:
    """Compare the output with its baseline; with `cues`, list a page of all cues, too.

    Raises NotFound, Unavailable.
    """
    with settled_reading():
        output = find(address)
        without = None if output.has_row else status_without_result(output)
        expected_hash, actual_hash = output.baseline_hash, output.actual_hash or output.expected
        kept = None
        if expected_hash and actual_hash:
            kept = caption_changes.kept(Pair.of(expected_hash, actual_hash, output.extension))
    facts = {
        **dataclasses.asdict(address),
        "expected_hash": hash_of(expected_hash),
        "actual_hash": hash_of(actual_hash) if output.has_row else None,
        "expected_hash_at_run": hash_of(output.expected),
        "accepted_variant": output.matched_variant,
        "context_lines": context_lines,
    }
    if without is not None:
        return facts | {"status": "missing_actual", "result_status": without}
    if not output.has_row or not actual_hash:
        return facts | {"status": "missing_actual"}
    if not expected_hash:
        return facts | {"status": "missing_expected"}
    compare = _of_identical if expected_hash == actual_hash else _of_different
    found, sides = compare(shelf, output, actual_hash, context_lines, kept)
    for name, side in sides.items():
        compared = getattr(found.comparison, name) if found else None
        facts[name] = _side(shelf, side, output, compared)
    if found is None:
        missing = next(name for name, side in sides.items() if not side.is_there)
        return facts | {"status": f"missing_{missing}"}
    facts |= shown(found, unified=unified)
    if cues is not None:
        pair = Pair.of(expected_hash, actual_hash, output.extension)
        facts["cues"] = _cues(shelf, sides, pair, cues)
    return facts


def _cues(
    shelf: FileAccess, sides: dict[str, StoredOutput], pair: Pair, asked: CuesAsked
) -> Page[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    total = 0
    if all(side.is_there for side in sides.values()) and sides:
        expected, actual = sides["expected"], sides["actual"]
        with suppress(NotStored):  # one went since it was found: there is nothing to list
            rows, total = file_pair.cues(
                shelf.repository, expected, actual, pair, limit=asked.limit, offset=asked.offset
            )
    return page(rows, total=total, limit=asked.limit, offset=asked.offset)


def shown(found: Difference, *, unified: bool) -> dict[str, Any]:
    """A difference as it is answered; without counts there is no summary."""
    comparison = found.comparison
    facts: dict[str, Any] = {
        "status": "identical" if comparison.identical else "different",
        "hunks": comparison.hunks,
        "truncated": comparison.truncated,
        "binary": comparison.binary,
        "invalid_utf8": comparison.invalid_utf8,
        "encodings_differ": comparison.encodings_differ,
        "line_endings_differ": comparison.line_endings_differ,
        "missing_final_newline": comparison.missing_final_newline,
        "gave_up": comparison.gave_up,
        "gave_up_because": comparison.gave_up_because,
        "captions": found.captions,
    }
    summary = summary_of(comparison)
    if summary is not None:
        facts["summary"] = summary
    if unified:
        facts["unified"] = comparison.unified
        facts["unified_truncated"] = comparison.unified_truncated
    return facts


def summary_of(comparison: Comparison) -> dict[str, int] | None:
    """The counts of a comparison; None for binary files and where none was made."""
    if comparison.identical:
        return {"added_lines": 0, "removed_lines": 0, "changed_hunks": 0}
    if comparison.added_lines is None:
        return None
    return {
        "added_lines": comparison.added_lines,
        "removed_lines": comparison.removed_lines or 0,
        "changed_hunks": comparison.changed_hunks or 0,
    }


def _of_different(
    shelf: FileAccess,
    output: ComparedOutput,
    actual_hash: str,
    context_lines: int,
    kept: Classification | None,
) -> tuple[Difference | None, dict[str, StoredOutput]]:
    """The difference, None where a file is lost, and the two files. Raises Unavailable."""
    sides = _sides(shelf, output, actual_hash)
    if not all(side.is_there for side in sides.values()):
        return None, sides
    try:
        found = file_pair.difference(
            shelf.repository,
            sides["expected"],
            sides["actual"],
            pair=Pair.of(output.baseline_hash or "", actual_hash, output.extension),
            context_lines=context_lines,
            kept=kept,
        )
    except NotStored:
        # One of them went between being found and being read: now it is not found.
        sides = _sides(shelf, output, actual_hash)
        if all(side.is_there for side in sides.values()):
            raise unavailable() from None
        return None, sides
    return found, sides


def _of_identical(
    shelf: FileAccess,
    output: ComparedOutput,
    actual_hash: str,
    context_lines: int,
    kept: Classification | None,
) -> tuple[Difference | None, dict[str, StoredOutput]]:
    """Report `identical` for equal hashes, even if the file itself is unavailable."""
    try:
        found, sides = _of_different(shelf, output, actual_hash, context_lines, kept)
    except Unavailable:
        return IDENTICAL, {}
    return found or IDENTICAL, sides


def _sides(shelf: FileAccess, output: ComparedOutput, actual_hash: str) -> dict[str, StoredOutput]:
    expected, actual = file_pair.find(
        shelf.repository,
        output_key(output.baseline_hash, output.extension),
        output_key(actual_hash, output.extension),
    )
    return {"expected": expected, "actual": actual}


def _side(
    shelf: FileAccess, side: StoredOutput, output: ComparedOutput, compared: ComparedSide | None
) -> dict[str, Any]:
    filename = filename_of(output.expected_filename, output.extension)
    return {
        "size_bytes": side.where.size,
        "storage_status": side.where.storage_status.value,
        "download_url": file_url(shelf, side.key, side.where, filename),
        "encoding": compared.encoding if compared else None,
        "line_endings": compared.line_endings if compared else None,
        "final_newline": compared.final_newline if compared else None,
    }
