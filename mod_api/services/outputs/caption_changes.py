"""Changes between two caption files: found once per pair of contents, then kept."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

import metrics
from database import db, reading, written
from database.newest import OfDatabases
from mod_api.services.captions import (
    MAX_BYTES,
    NOT_COMPARED,
    RULES_VERSION,
    TOO_LARGE,
    compare,
    format_of,
    page_of_cues,
)
from mod_api.services.outputs.file_names import output_key
from mod_regression import classifications
from mod_regression.classifications import Classification, Pair
from mod_sample.storage import Repository, StorageError

log = structlog.get_logger("captions")

# What is classified while a runner waits for its answer; a pair of this size takes 0.1 s.
AT_ONCE_BYTES = 128 * 1024
AT_ONCE_S = 1.0


# What was found of two contents: by the same rules it is the same for ever. Lists need none of the
# details, which are most of it.
WHOLE: OfDatabases[Pair, Classification] = OfDatabases(2048)
SHORT: OfDatabases[Pair, Classification] = OfDatabases(8192)
LARGEST_REMEMBERED = 4096  # characters of details


def kept(pair: Pair) -> Classification | None:
    """What is known of a pair by today's rules, with its details."""
    remembered = WHOLE.of(db.engine)
    known = remembered.get(pair)
    if known is None:
        known = classifications.find(pair, RULES_VERSION)
        if known is not None and len(known.details or "") <= LARGEST_REMEMBERED:
            remembered.keep(pair, known)
    return known


def kept_of_all(pairs: Iterable[Pair]) -> dict[Pair, Classification]:
    """What is known of each of `pairs`, without details; the others are left out."""
    remembered = SHORT.of(db.engine)
    wanted = {pair: remembered.get(pair) for pair in pairs}
    found = {pair: known for pair, known in wanted.items() if known is not None}
    lacking = [pair for pair in wanted if pair not in found]
    for pair, known in classifications.classifications(lacking, RULES_VERSION).items():
        remembered.keep(pair, known)
        found[pair] = known
    return found


def detailed_of_all(pairs: Iterable[Pair]) -> dict[Pair, Classification]:
    """Look up each of `pairs` with its details; pairs that are not classified are left out."""
    return classifications.classifications(pairs, RULES_VERSION, detailed=True)


def cues(
    pair: Pair, expected: bytes, actual: bytes, *, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """List some of all cues of two contents, and count all; none where they are no captions."""
    try:
        return page_of_cues(expected, actual, pair.extension, limit=limit, offset=offset)
    except Exception:  # noqa: BLE001 - a comparison that fails must not fail what it is made for
        _log_failure(pair)
        return [], 0


def find_and_keep(pair: Pair, expected: bytes, actual: bytes) -> Classification:
    """Classify two contents and keep the finding, in a unit of work of its own.

    A database that cannot be written at this moment costs no more than finding it once again.
    A pair that cannot be classified is not kept: later rules may do better.
    """
    try:
        found = _classification(compare(expected, actual, pair.extension))
    except Exception:  # noqa: BLE001 - a comparison that fails must not fail what it is made for
        _log_failure(pair)
        return _classification(asdict(NOT_COMPARED))
    try:
        written(lambda: classifications.keep(pair, found, RULES_VERSION))
    except SQLAlchemyError as error:
        log.warning("classification_not_kept", error=type(error).__name__)
    return found


def note(repository: Repository, outputs: Iterable[tuple[str, str, str]]) -> None:
    """Classify a few small new differences, as their results come in. Raises nothing.

    `outputs` are baseline, actual hash and extension, as the tables have them. A pair that is not
    classified here is classified when somebody looks at its difference.
    """
    wanted = list(dict.fromkeys(outputs))
    until = time.monotonic() + AT_ONCE_S
    if not wanted:
        return
    try:
        with reading():
            known = kept_of_all(Pair.of(*output) for output in wanted)
        for output in wanted:
            if Pair.of(*output) not in known and time.monotonic() < until:
                _note(repository, *output)
    except (SQLAlchemyError, StorageError) as error:
        log.warning("pair_not_classified", error=type(error).__name__)
    except Exception:  # noqa: BLE001 - the result is stored: its runner must be told so
        _log_failure(None)


def of_large_files(pair: Pair) -> Classification:
    """The finding about files that are too large to be fetched."""
    return _classification(asdict(TOO_LARGE) if format_of(pair.extension) else None)


def details(found: Classification | None) -> Mapping[str, Any] | None:
    """The whole finding as it is shown; None where the files are no captions."""
    if found is None or found.details is None:
        return None
    shown: dict[str, Any] = json.loads(found.details)
    return shown


def content_for(path: Path) -> bytes:
    """As much of a file as classifying looks at: one byte more than it takes says `too large`."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _note(repository: Repository, expected: str, actual: str, extension: str) -> None:
    keys = [output_key(content_hash, extension) for content_hash in (expected, actual)]
    contents = [repository.read(key, AT_ONCE_BYTES + 1, AT_ONCE_S) for key in keys if key]
    if len(contents) == 2 and max(len(content) for content in contents) <= AT_ONCE_BYTES:
        find_and_keep(Pair.of(expected, actual, extension), *contents)


def _log_failure(pair: Pair | None) -> None:
    metrics.captions_not_compared()
    log.exception("captions_not_compared", **(asdict(pair) if pair else {}))


def _classification(found: Mapping[str, Any] | None) -> Classification:
    if found is None:
        return Classification(None)
    location = found["location"] or {}
    return Classification(
        kind=str(found["kind"]),
        message=found["message"],
        cue_number=location.get("number"),
        start_ms=location.get("start_ms"),
        details=json.dumps(found, ensure_ascii=False),
    )
