"""Copying what only one of folder and bucket has: the repair after one of them was away."""

import hashlib
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mod_sample.storage.errors import StorageError
from mod_sample.storage.keys import content_hash
from mod_sample.storage.local import LocalBackend
from mod_sample.storage.repository import Repository

if TYPE_CHECKING:
    from mod_sample.storage.gcs import GcsBackend

_CHUNK = 1024 * 1024


@dataclass(slots=True)
class SyncReport:
    """What became of each key: copied, already in both, in neither, or failed and why."""

    copied: list[str] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def copy_missing(repository: Repository, keys: Iterable[str]) -> SyncReport:
    """Make each of `keys` that one storage has stand in both.

    Where they hold files of different sizes, the one that fits the hash in its name stays;
    of a file that may change, the folder's. One that cannot be copied does not stop the
    rest. Raises ValueError unless both storages are configured.
    """
    if repository.local is None or repository.bucket is None:
        raise ValueError("copying needs a folder and a bucket")
    report = SyncReport()
    for key in dict.fromkeys(keys):
        try:
            _copy(repository, repository.local, repository.bucket, key, report)
        except StorageError as error:
            report.failed[key] = str(error)
    return report


def _copy(
    repository: Repository, local: LocalBackend, bucket: "GcsBackend", key: str, report: SyncReport
) -> None:
    here = local.stat(key)
    there = repository.breaker.call(lambda: bucket.stat(key))
    if here is None and there is None:
        report.missing.append(key)
    elif here is not None and there is not None and here.size == there.size:
        report.complete.append(key)
    else:
        if here is not None and (there is None or _is_sound(local, key)):
            _upload(repository, local, bucket, key)
        else:
            with repository.breaker.call(lambda: bucket.open_range(key)) as content:
                local.put(key, content, "application/octet-stream")
        report.copied.append(key)


def _upload(repository: Repository, local: LocalBackend, bucket: "GcsBackend", key: str) -> None:
    if not _is_sound(local, key):
        raise StorageError(f"{key} in the folder does not have the content that its name tells")
    content_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
    with local.open_file(key) as file:
        repository.breaker.call(lambda: bucket.put(key, file, content_type))


def _is_sound(local: LocalBackend, key: str) -> bool:
    expected = content_hash(key)
    if expected is None:
        return True
    digest = hashlib.sha256()
    with local.open_file(key) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == expected
