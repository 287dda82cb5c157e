"""Where a file is, made of what each configured storage answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from mod_sample.storage.backend import Stat


class StorageStatus(StrEnum):
    """In all configured storages, in some (or nobody can tell), or in none."""

    OK = "ok"
    DEGRADED = "degraded"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Located:
    """Where one file is.

    `backends` names the storages that have it, the one to read first in front; `size` in
    bytes and `etag` are null when none has. `known` is false where a storage that could
    have the file did not answer in time. A file that nobody can tell of is not missing: it
    reads `degraded`, without a storage to fetch it from.
    """

    storage_status: StorageStatus
    size: int | None
    backends: tuple[str, ...]
    known: bool
    etag: str | None


def located(answers: Mapping[str, Stat | None], configured: int) -> Located:
    """Judge the answers by storage; one that is not in `answers` did not answer.

    Two storages that hold files of different sizes do not both hold the right one, which
    reads `degraded`.
    """
    found = {name: stat for name, stat in answers.items() if stat is not None}
    first = next(iter(found.values()), None)
    known = len(answers) == configured
    if first is None:
        status = StorageStatus.MISSING if known else StorageStatus.DEGRADED
    elif len(found) == configured and len({stat.size for stat in found.values()}) == 1:
        status = StorageStatus.OK
    else:
        status = StorageStatus.DEGRADED
    return Located(
        storage_status=status,
        size=first.size if first else None,
        backends=tuple(found),
        known=known,
        etag=first.etag if first else None,
    )
