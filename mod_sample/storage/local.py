"""The repository folder as a storage."""

import io
import os
import shutil
import stat as modes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import structlog

from mod_sample.storage import staging
from mod_sample.storage.backend import Content, Readable, Stat, span
from mod_sample.storage.errors import Damaged, NotStored, StorageUnavailable
from mod_sample.storage.keys import check_content, check_key, content_hash
from mod_sample.storage.measuring import measured
from mod_sample.storage.openat import folder_of, is_absent, open_file, open_root
from mod_sample.storage.staging import Received

log = structlog.get_logger("storage")
_CHUNK = 256 * 1024
_TEMPORARY = "TempFiles"
_ARRIVING = f"{_TEMPORARY}/{staging.PREFIX}"
# The least free space that is still called healthy: one upload of the default limit.
_LEAST_FREE_BYTES = 512 * 1024 * 1024


class LocalBackend:
    """Files below one folder, which is made when it does not exist.

    Nothing below the folder is reached through a symbolic link: what is linked reads as
    not stored. Another disk is mounted, not linked. While the folder can neither be found
    nor made, every operation raises StorageUnavailable.
    """

    name = "local"

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            # A disk that is away must not keep a server from starting: what needs no file works,
            # and a bucket may have it.
            log.warning("repository_folder_unavailable", folder=str(root), error=str(error))
        self.root = Path(os.path.realpath(root))

    @measured("stat")
    def stat(self, key: str) -> Stat | None:
        """What is known of a file, or None. Raises UnsafeName, StorageUnavailable."""
        try:
            with self._folder(key) as (folder, name):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except NotStored:
            return None
        return _stat(key, found) if modes.S_ISREG(found.st_mode) else None

    @measured("stat")
    def stats(self, keys: Iterable[str]) -> dict[str, Stat | None]:
        """What is known of several files, as `stat` says it; each folder is opened once.

        What cannot be told because the disk fails is left out. Raises UnsafeName, and
        StorageUnavailable when nothing can be told.
        """
        of_folders: dict[str, list[str]] = {}
        for key in keys:
            of_folders.setdefault(check_key(key).rpartition("/")[0], []).append(key)
        found: dict[str, Stat | None] = {}
        for of_folder in of_folders.values():
            try:
                with self._folder(of_folder[0]) as (folder, _):
                    for key in of_folder:
                        with suppress(StorageUnavailable):
                            found[key] = _stat_in(folder, key)
            except NotStored:
                found |= dict.fromkeys(of_folder)
        return found

    def open_range(
        self,
        key: str,
        start: int = 0,
        length: int | None = None,
        within_s: float | None = None,
    ) -> Content:
        """The bytes from `start` on, of the file as long as it is now.

        A file that is removed or replaced afterwards is still read to its end. Raises
        NotStored, OutOfRange, UnsafeName, StorageUnavailable.
        """
        file = self.open_file(key)
        try:
            found = os.fstat(file.fileno())
            length = span(key, found.st_size, start, length)
        except BaseException:
            file.close()
            raise

        def chunks() -> Iterator[bytes]:
            position, end = start, start + length
            while position < end:
                try:
                    chunk = os.pread(file.fileno(), min(_CHUNK, end - position), position)
                except OSError as error:
                    raise StorageUnavailable(f"reading {key}: {error}") from error
                if not chunk:
                    raise Damaged(f"{key} was cut to {position} bytes while it was read")
                position += len(chunk)
                yield chunk

        return Content(_stat(key, found), start, length, chunks(), file.close)

    @measured("open")
    def open_file(self, key: str) -> io.FileIO:
        """The file itself, for reading. Raises NotStored, UnsafeName, StorageUnavailable."""
        with self._folder(key) as (folder, name):
            file = io.FileIO(open_file(folder, name))
        if not modes.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise NotStored(key)
        return file

    def put(
        self,
        key: str,
        source: Path | Readable,
        content_type: str,
    ) -> Stat:
        """Keep a file, whole or not at all: see `keep`."""
        check_key(key)
        if isinstance(source, Path):
            with source.open("rb") as stream, self.receive(stream) as received:
                return self.keep(received, key)
        with self.receive(source) as received:
            return self.keep(received, key)

    def receive(self, stream: Readable, limit: int | None = None) -> Received:
        """Take in a file of at most `limit` bytes, to be kept or discarded.

        Raises TooLarge, StorageUnavailable, and what the stream raises.
        """
        with self._folder(_ARRIVING, create=True) as (found, _):
            folder = os.dup(found)
        # Outside the block above: an error of the stream is not one of the folder.
        try:
            return staging.receive(folder, self.root / _TEMPORARY, stream, limit)
        finally:
            os.close(folder)

    @measured("write")
    def keep(self, received: Received, key: str) -> Stat:
        """Put what was received in its place, durably and at once.

        Whoever reads meanwhile sees the former file or the new one, never a part; of two
        that arrive together the last stays. Raises WrongContent when `key` names another
        content, UnsafeName, StorageUnavailable.
        """
        check_key(key)
        check_content(key, received.sha256)
        arrived = f"{_TEMPORARY}/{received.path.name}"
        with (
            self._folder(arrived) as (temporary, name),
            self._folder(key, create=True) as (folder, final),
        ):
            # The existing site reads these files, often as another user.
            os.chmod(name, 0o644, dir_fd=temporary)
            os.replace(name, final, src_dir_fd=temporary, dst_dir_fd=folder)
            os.fsync(folder)
            found = os.stat(final, dir_fd=folder, follow_symlinks=False)
        return _stat(key, found)

    def sweep(self, older_than_s: float) -> int:
        """Remove temporary files untouched for so many seconds; gives their number."""
        with self._folder(_ARRIVING, create=True) as (folder, _):
            return staging.sweep(folder, older_than_s)

    def path(self, key: str) -> Path:
        """Where the file of `key` is or will be, for programs that need a path.

        Its folder exists afterwards. Raises UnsafeName, and StorageUnavailable when a
        component is a symbolic link.
        """
        with self._folder(key, create=True) as (folder, name), suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not modes.S_ISREG(found.st_mode):
                raise StorageUnavailable(f"{key} is no ordinary file")
        return self.root / key

    def signed_url(
        self,
        key: str,
        expires_seconds: int,
        filename: str,
        content_type: str,
    ) -> None:
        """None: a folder has no address of its own."""
        return

    @measured("delete")
    def delete(self, key: str) -> None:
        """Remove a file; one that is not here is no error."""
        with suppress(NotStored), self._folder(key) as (folder, name):
            os.unlink(name, dir_fd=folder)
            os.fsync(folder)

    @measured("ping")
    def ping(self, timeout: float) -> str | None:
        """Write a file. Gives a warning when the disk is nearly full.

        Raises StorageUnavailable. A local disk is not waited for: `timeout` has no meaning.
        """
        with self.receive(io.BytesIO()):
            pass
        free = shutil.disk_usage(self.root).free
        return f"only {free} bytes are free" if free < _LEAST_FREE_BYTES else None

    @contextmanager
    def _folder(self, key: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """As `folder_of`, below our root, with the errors of a storage."""
        if not key.startswith(_ARRIVING):
            check_key(key)
        try:
            with open_root(self.root) as root:
                try:
                    with folder_of(root, key, create=create) as found:
                        yield found
                except OSError as error:
                    if is_absent(error) and not create:
                        raise NotStored(key) from error
                    raise
        except OSError as error:
            raise StorageUnavailable(f"{key} in the repository folder: {error}") from error


def _stat_in(folder: int, key: str) -> Stat | None:
    """What is known of a file in an open folder, or None. Raises StorageUnavailable."""
    try:
        found = os.stat(key.rpartition("/")[2], dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if is_absent(error):
            return None
        raise StorageUnavailable(f"{key} in the repository folder: {error}") from error
    return _stat(key, found) if modes.S_ISREG(found.st_mode) else None


def _stat(key: str, found: os.stat_result) -> Stat:
    return Stat(
        size=found.st_size,
        etag=content_hash(key) or f"{found.st_mtime_ns:x}-{found.st_size:x}",
        modified=datetime.fromtimestamp(found.st_mtime, UTC),
    )
