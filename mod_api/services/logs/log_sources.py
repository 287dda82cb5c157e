"""The source of a log: the growing file, or the object in the bucket, read by ranges."""

import errno
from pathlib import Path

from config import INSTANCE, Settings
from errors import NotFound, Unavailable
from mod_sample.storage import (
    NotStored,
    OutOfRange,
    Repository,
    StorageUnavailable,
    job_log_key,
    log_key,
)
from mod_test.logs.source import FileLog, LogSource

# What lies where a log should be is a link, a folder or a device (None: `FileLog` found that).
NO_FILE = (None, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO)


class StoredLog:
    """A log that lies in the bucket only: each read is one range, nothing is downloaded whole."""

    def __init__(self, repository: Repository, key: str, size: int) -> None:
        self._repository = repository
        self._key = key
        self._size = size

    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Raises Unavailable when the bucket does not answer."""
        if length <= 0 or offset >= self._size:
            return b""
        try:
            with self._repository.open(self._key, offset, length) as content:
                return b"".join(content)
        except (NotStored, OutOfRange):
            return b""
        except StorageUnavailable as error:
            raise Unavailable("The log's storage does not answer.", retry_after=5) from error


def key_of(subject: int | str) -> str:
    """The name of the log of a run (its id) or of a job (its uuid) in the storage."""
    return log_key(subject) if isinstance(subject, int) else job_log_key(subject)


def path_of(settings: Settings, subject: int | str) -> Path:
    """The file to which the log of a run (its id) or of a job (its uuid) is appended."""
    return (settings.sample_repository or INSTANCE / "repository") / key_of(subject)


def open_log(
    settings: Settings, repository: Repository, subject: int | str, *, is_final: bool
) -> LogSource | None:
    """The log of a run or job; None while it goes on and nothing has arrived.

    Raises NotFound `log_not_found` with `checked` for an ended one without a log in any storage,
    Unavailable when the storage that may have it does not answer.
    """
    try:
        return FileLog.open(path_of(settings, subject))
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno in NO_FILE:
            raise _not_found(repository, subject) from error
        raise Unavailable("The log's storage does not answer.", retry_after=5) from error
    key = key_of(subject)
    stored = repository.locate([key])[key]
    if stored.size is not None:
        return StoredLog(repository, key, stored.size)
    if not stored.known:
        raise Unavailable("The log's storage does not answer.", retry_after=5)
    if not is_final:
        return None
    raise _not_found(repository, subject)


def _not_found(repository: Repository, subject: int | str) -> NotFound:
    kind = "run" if isinstance(subject, int) else "job"
    return NotFound(
        "log",
        subject,
        f"Log file for {kind} {subject} does not exist in any storage backend.",
        code="log_not_found",
        checked=[backend.name for backend in repository.backends()],
        **{f"{kind}_id": subject},
    )
