"""A baseline and an output as a pair: located, fetched, compared as lines and as captions."""

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from database.newest import Newest
from mod_api.services.diff import Comparison, GaveUp, compare
from mod_api.services.diff.comparison import MAX_BYTES
from mod_api.services.outputs import caption_changes
from mod_api.services.outputs.embedded_content import READ_S, locate, unavailable
from mod_regression.classifications import Classification, Pair
from mod_sample.storage import Located, NotStored, Repository, StorageStatus, StorageUnavailable

# A large file may take this much longer than a small one: bytes in a second.
_BYTES_PER_S = 1024 * 1024
_NOWHERE = Located(StorageStatus.MISSING, None, (), known=True, etag=None)
_TOO_LARGE = Comparison(identical=False, gave_up_because=GaveUp.TOO_LARGE)


SMALL_BYTES = 64 * 1024
MOST_KNOWN = 128


@dataclass(frozen=True)
class StoredOutput:
    """One of the two files; `key` is None for a hash that cannot be the name of a file."""

    key: str | None
    where: Located

    @property
    def is_there(self) -> bool:
        return bool(self.where.backends)


Use = tuple[StoredOutput, StoredOutput, int]
_compared: "WeakKeyDictionary[Repository, Newest[Use, Comparison]]" = WeakKeyDictionary()


@dataclass(frozen=True)
class Difference:
    """The difference of two files; `captions` is None if they are no captions or were not read."""

    comparison: Comparison
    captions: Mapping[str, Any] | None


def find(
    repository: Repository, expected_key: str | None, actual_key: str | None
) -> tuple[StoredOutput, StoredOutput]:
    """Locate a baseline and an output. Raises Unavailable if no storage can tell."""
    keys = (expected_key, actual_key)
    located = locate(repository, [key for key in keys if key])
    expected, actual = (StoredOutput(key, located[key] if key else _NOWHERE) for key in keys)
    if not all(side.is_there or side.where.known for side in (expected, actual)):
        raise unavailable()
    return expected, actual


def difference(
    repository: Repository,
    expected: StoredOutput,
    actual: StoredOutput,
    *,
    pair: Pair,
    context_lines: int,
    kept: Classification | None = None,
) -> Difference:
    """Compare two files that were found. What `kept` does not know of them is found and kept.

    Raises NotStored when one of them was removed since, Unavailable when the storage does not
    answer.
    """
    if are_too_large(expected, actual):
        kept = kept or caption_changes.of_large_files(pair)
        return Difference(_TOO_LARGE, caption_changes.details(kept))
    use = expected, actual, context_lines
    known = _known(repository).get(use)
    if known is not None and kept is not None:
        return Difference(known, caption_changes.details(kept))
    with _fetched(repository, expected, actual) as paths:
        comparison = compare(*paths, context_lines)
        if kept is None:
            contents = [caption_changes.content_for(path) for path in paths]
            kept = caption_changes.find_and_keep(pair, *contents)
    are_small = (expected.where.size or 0) + (actual.where.size or 0) <= SMALL_BYTES
    if are_small and not comparison.gave_up:
        _known(repository).keep(use, comparison)
    return Difference(comparison, caption_changes.details(kept))


def cues(
    repository: Repository,
    expected: StoredOutput,
    actual: StoredOutput,
    pair: Pair,
    *,
    limit: int,
    offset: int,
) -> tuple[list[dict[str, Any]], int]:
    """List some of all cues of two files that were found. Raises as `difference` does."""
    if are_too_large(expected, actual):
        return [], 0
    with _fetched(repository, expected, actual) as paths:
        contents = [caption_changes.content_for(path) for path in paths]
    return caption_changes.cues(pair, *contents, limit=limit, offset=offset)


def _known(repository: Repository) -> "Newest[Use, Comparison]":
    """Small files that were compared before: their names stand for their contents."""
    found = _compared.get(repository)
    if found is None:
        found = _compared.setdefault(repository, Newest(MOST_KNOWN))
    return found


def comparison_of(
    repository: Repository, expected: StoredOutput, actual: StoredOutput, *, context_lines: int
) -> Comparison:
    """Compare two files line by line only. Raises as `difference` does."""
    if are_too_large(expected, actual):
        return _TOO_LARGE
    with _fetched(repository, expected, actual) as paths:
        return compare(*paths, context_lines)


def are_too_large(expected: StoredOutput, actual: StoredOutput) -> bool:
    """Return whether two files are not even fetched."""
    return (expected.where.size or 0) + (actual.where.size or 0) > MAX_BYTES


@contextmanager
def _fetched(
    repository: Repository, expected: StoredOutput, actual: StoredOutput
) -> Iterator[tuple[Path, Path]]:
    """Both files on the disk, side by side from the storage and for no longer than needed."""
    with tempfile.TemporaryDirectory(prefix="diff-") as folder, ThreadPoolExecutor(2) as pool:
        paths = Path(folder) / "expected", Path(folder) / "actual"
        copying = [
            pool.submit(_copy, repository, side, path)
            for side, path in zip((expected, actual), paths, strict=True)
        ]
        try:
            for copied in copying:
                copied.result()
        except (StorageUnavailable, OSError) as error:
            raise unavailable() from error
        yield paths


def _copy(repository: Repository, side: StoredOutput, path: Path) -> None:
    if side.key is None:
        raise NotStored("a file without a name")
    within_s = max(READ_S, (side.where.size or 0) / _BYTES_PER_S)
    with repository.open(side.key, within_s=within_s) as content, path.open("wb") as file:
        for chunk in content:
            file.write(chunk)
