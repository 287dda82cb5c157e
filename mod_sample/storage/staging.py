"""Files that are still arriving: private, hashed while they stream, swept when abandoned."""

import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mod_sample.storage.backend import Readable
from mod_sample.storage.errors import StorageUnavailable, TooLarge

# The existing site keeps its own temporary files in the same folder: ours are told by this.
PREFIX = "ci-api-"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """A file that has arrived whole; leaving its `with` removes it unless it was kept.

    `size` in bytes, `sha256` in lower case hex.
    """

    path: Path
    sha256: str
    size: int

    def discard(self) -> None:
        """Remove the file; one that was kept or removed before is no error."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.discard()


def receive(folder: int, path: Path, stream: Readable, limit: int | None) -> Received:
    """Write what `stream` gives to a new file in the open folder at `path`, durably.

    Raises TooLarge as soon as more than `limit` bytes have come, StorageUnavailable, and
    whatever the stream raises; nothing is left behind then.
    """
    name = f"{PREFIX}{secrets.token_hex(16)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _writing():
        descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        sha256, size = _copy(stream, descriptor, limit)
        with _writing():
            os.fsync(descriptor)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        raise
    finally:
        os.close(descriptor)
    return Received(path / name, sha256, size)


def sweep(folder: int, older_than_s: float) -> int:
    """Remove our files that nobody has written to for so many seconds; gives their number."""
    limit = time.time() - older_than_s
    swept = 0
    for name in os.listdir(folder):
        if not name.startswith(PREFIX):
            continue
        # Whoever receives the file may finish it, or another sweep take it, meanwhile.
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_mtime < limit:
                os.unlink(name, dir_fd=folder)
                swept += 1
    return swept


def _copy(stream: Readable, descriptor: int, limit: int | None) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if limit is not None and size > limit:
            raise TooLarge(limit)
        digest.update(chunk)
        with _writing():
            _write_all(descriptor, chunk)
    return digest.hexdigest(), size


@contextmanager
def _writing() -> Iterator[None]:
    """A full or failing disk is the storage's failure, told apart from the stream's."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"writing a temporary file: {error}") from error


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
