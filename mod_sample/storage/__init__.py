"""Where samples, baselines, outputs, logs and artifacts are kept: a folder, a bucket, or both.

No database and no Flask: who uses it passes in where it is.

    repository = open_repository(Path("instance/repository"), None)
    key = result_key(content_hash, ".srt")
    where = repository.locate([key])[key]
    with repository.open(key) as content:
        for chunk in content: ...
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mod_sample.storage.backend import Backend, Content, Readable, Stat
from mod_sample.storage.disposition import attachment
from mod_sample.storage.errors import (
    Damaged,
    NotStored,
    OutOfRange,
    StorageError,
    StorageUnavailable,
    TooLarge,
    UnsafeName,
    WrongContent,
)
from mod_sample.storage.health import BackendHealth, HealthStatus, health
from mod_sample.storage.keys import (
    ArtifactKind,
    artifact_key,
    extra_key,
    job_artifact_key,
    job_log_key,
    job_source_key,
    log_key,
    media_info_key,
    result_key,
    sample_key,
)
from mod_sample.storage.local import LocalBackend
from mod_sample.storage.located import Located, StorageStatus
from mod_sample.storage.repository import Repository, Stored
from mod_sample.storage.staging import Received
from mod_sample.storage.sync import SyncReport, copy_missing

if TYPE_CHECKING:
    from mod_sample.storage.gcs import GcsBackend

__all__ = [
    "ArtifactKind",
    "Backend",
    "BackendHealth",
    "Content",
    "Damaged",
    "HealthStatus",
    "LocalBackend",
    "Located",
    "NotStored",
    "OutOfRange",
    "Readable",
    "Received",
    "Repository",
    "Stat",
    "StorageError",
    "StorageStatus",
    "StorageUnavailable",
    "Stored",
    "SyncReport",
    "TooLarge",
    "UnsafeName",
    "WrongContent",
    "artifact_key",
    "attachment",
    "copy_missing",
    "extra_key",
    "health",
    "job_artifact_key",
    "job_log_key",
    "job_source_key",
    "log_key",
    "media_info_key",
    "open_repository",
    "result_key",
    "sample_key",
]


def open_repository(folder: Path | None, bucket: str | None) -> Repository:
    """The repository in `folder`, in the bucket of this name, or in both.

    The folder is made when it does not exist; the bucket is first asked when it is needed.
    Raises ValueError when neither is given.
    """
    return Repository(
        LocalBackend(folder) if folder else None,
        _bucket(bucket) if bucket else None,
    )


def _bucket(name: str) -> "GcsBackend":
    # Google's library is large: it is loaded where there is a bucket.
    from mod_sample.storage.gcs import GcsBackend

    return GcsBackend(name)
