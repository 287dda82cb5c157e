"""The sample repository: its folder, its bucket, or both as one."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mod_sample.storage import staging
from mod_sample.storage.backend import Backend, Content, Readable, Stat
from mod_sample.storage.breaker import Breaker
from mod_sample.storage.errors import NotStored, StorageError, StorageUnavailable
from mod_sample.storage.existence import Existence
from mod_sample.storage.keys import check_content, check_key
from mod_sample.storage.local import LocalBackend
from mod_sample.storage.located import Located, StorageStatus, located
from mod_sample.storage.side_by_side import ask_all
from mod_sample.storage.staging import Received

if TYPE_CHECKING:
    from mod_sample.storage.gcs import GcsBackend

log = logging.getLogger(__name__)

# How old the bucket's last answer may be for what is remembered of it to be believed.
_ALIVE_S = 0.5


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was kept: `degraded` when the bucket did not take it, as `problem` says."""

    stat: Stat
    storage_status: StorageStatus
    problem: str | None = None


MOST_SIZES = 100_000


class Repository:
    """Files in the folder, in the bucket, or in both; read from the folder first.

    At least one of the two must be given, else ValueError. May be used by many threads,
    and by processes forked after it was made.
    """

    def __init__(
        self,
        local: LocalBackend | None,
        bucket: "GcsBackend | None",
        *,
        breaker: Breaker | None = None,
        existence: Existence | None = None,
    ) -> None:
        if local is None and bucket is None:
            raise ValueError("a repository needs a folder or a bucket")
        self.local = local
        self.bucket = bucket
        self.breaker = breaker or Breaker()
        self._existence = existence or Existence()
        self._sizes: dict[str, int] = {}

    def locate(self, keys: Iterable[str], deadline_s: float = 1.5) -> dict[str, Located]:
        """Where each of `keys` is, asked side by side and answered within `deadline_s`.

        Raises nothing: a storage that fails or is slow makes `degraded` of what the other
        has, and of what it has not, then with `known` false. A key that cannot name a file is
        missing.
        """
        wanted = list(dict.fromkeys(keys))
        safe = [key for key in wanted if _is_safe(key)]
        answers: dict[str, dict[str, Stat | None]] = {key: {} for key in safe}
        if self.local:
            for key, stat in _ask_folder(self.local, safe).items():
                answers[key][self.local.name] = stat
        if self.bucket:
            for key, stat in self._ask_bucket(self.bucket, safe, deadline_s).items():
                answers[key][self.bucket.name] = stat
        configured = (self.local is not None) + (self.bucket is not None)
        nowhere = Located(StorageStatus.MISSING, None, (), known=True, etag=None)
        return {
            key: located(answers[key], configured) if key in answers else nowhere for key in wanted
        }

    def sizes(self, keys: Iterable[str]) -> dict[str, int | None]:
        """The size in bytes of each of `keys`, None where no storage says that it has the file.

        For names that stand for their content, as a sample's does: a size that was seen is not
        asked for again.
        """
        wanted = list(keys)
        unseen = [key for key in wanted if key not in self._sizes]
        if unseen:
            if len(self._sizes) > MOST_SIZES:
                self._sizes.clear()
            for key, found in self.locate(unseen).items():
                if found.size is not None:
                    self._sizes[key] = found.size
        return {key: self._sizes.get(key) for key in wanted}

    def open(
        self, key: str, start: int = 0, length: int | None = None, within_s: float | None = None
    ) -> Content:
        """The bytes from `start` on, from the folder if it has them, else from the bucket.

        `within_s` bounds the reading from the bucket as a whole, in seconds. Raises
        NotStored when every storage says it has no such file, StorageUnavailable when one
        that might have it does not answer, OutOfRange, UnsafeName.
        """
        check_key(key)
        silent: StorageUnavailable | None = None
        for reading in self._openers(key, start, length, within_s):
            try:
                return reading()
            except NotStored:
                continue
            except StorageUnavailable as error:
                silent = error
        raise silent or NotStored(key)

    def read(self, key: str, limit: int, within_s: float = 1.8) -> bytes:
        """The first `limit` bytes, or as many as there are, all of them or none.

        What breaks off in one storage is read from the other. Raises as `open` does.
        """
        check_key(key)
        silent: StorageUnavailable | None = None
        for reading in self._openers(key, 0, limit, within_s):
            try:
                with reading() as content:
                    return b"".join(content)
            except NotStored:
                continue
            except StorageUnavailable as error:
                silent = error
        raise silent or NotStored(key)

    def receive(self, stream: Readable, limit: int | None = None) -> Received:
        """Take in a file of at most `limit` bytes, hashed while it streams.

        Use it with `with`: what is not kept is removed. Raises TooLarge,
        StorageUnavailable, and what the stream raises.
        """
        if self.local:
            return self.local.receive(stream, limit)
        path = Path(tempfile.gettempdir())
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return staging.receive(folder, path, stream, limit)
        finally:
            os.close(folder)

    def keep(
        self, received: Received, key: str, content_type: str = "application/octet-stream"
    ) -> Stored:
        """Keep what was received: durably in the folder, then in the bucket.

        A bucket that fails leaves the file `degraded`, to be copied later. Raises
        WrongContent, UnsafeName, and StorageUnavailable when it is kept nowhere.
        """
        check_key(key)
        check_content(key, received.sha256)
        if self.local is None:
            return Stored(self._send(key, received.path, content_type), StorageStatus.OK)
        stat = self.local.keep(received, key)
        if self.bucket is None:
            return Stored(stat, StorageStatus.OK)
        try:
            with self.local.open_file(key) as file:
                self._send(key, file, content_type)
        except (StorageUnavailable, NotStored) as error:
            log.warning("%s is kept in the folder only: %s", key, error)
            return Stored(stat, StorageStatus.DEGRADED, str(error))
        return Stored(stat, StorageStatus.OK)

    def put(
        self, key: str, source: Path | Readable, content_type: str = "application/octet-stream"
    ) -> Stored:
        """Keep a file of any source, as `receive` and `keep`."""
        check_key(key)
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self.put(key, file, content_type)
        with self.receive(source) as received:
            return self.keep(received, key, content_type)

    def delete(self, key: str) -> None:
        """Remove a file everywhere. Raises StorageUnavailable, UnsafeName."""
        check_key(key)
        if self.local:
            self.local.delete(key)
        if self.bucket:
            bucket = self.bucket
            self.breaker.call(lambda: bucket.delete(key))
            self._existence.forget(key)

    def signed_url(
        self,
        key: str,
        where: Located,
        *,
        expires_seconds: int,
        filename: str,
        content_type: str,
    ) -> str | None:
        """The bucket's own address of a file that `locate` just found there.

        None when the bucket has it not, or there is no key to sign with.
        """
        if self.bucket is None or self.bucket.name not in where.backends:
            return None
        try:
            return self.bucket.signed_url(key, expires_seconds, filename, content_type)
        except StorageUnavailable as error:
            log.warning("No address could be signed: %s", error)
            return None

    def backends(self) -> tuple[Backend, ...]:
        """The configured storages, the one that is read first in front."""
        return tuple(backend for backend in (self.local, self.bucket) if backend is not None)

    def _openers(
        self, key: str, start: int, length: int | None, within_s: float | None
    ) -> Iterable[Callable[[], Content]]:
        """One way to open the file for each storage, to be tried in this order."""
        local, bucket = self.local, self.bucket
        if local:
            yield lambda: local.open_range(key, start, length)
        if bucket:
            yield lambda: self._open_in_bucket(bucket, key, start, length, within_s)

    def _open_in_bucket(
        self, bucket: "GcsBackend", key: str, start: int, length: int | None, within_s: float | None
    ) -> Content:
        try:
            return self.breaker.call(lambda: bucket.open_range(key, start, length, within_s))
        except NotStored:
            self._existence.forget(key)
            raise

    def _ask_bucket(
        self, bucket: "GcsBackend", keys: list[str], deadline_s: float
    ) -> dict[str, Stat | None]:
        """What the bucket says, or said lately; nothing of keys it did not answer for."""
        remembered = self._existence.recall(keys)
        unknown = [key for key in keys if key not in remembered]
        if not unknown:
            if not keys or self.breaker.heard_within(_ALIVE_S):
                return remembered
            # A bucket that died meanwhile must not be said to hold all it held before.
            unknown = keys[:1]
        if not self.breaker.allows():
            return {}

        def ask(key: str) -> Stat | None:
            stat = bucket.stat(key)
            self._existence.learn(key, stat)
            return stat

        answers = ask_all(ask, unknown, deadline_s)
        if not answers:
            self.breaker.failed()
            log.warning("The bucket did not answer for any of %d files", len(unknown))
            return {}
        self.breaker.answered()
        return remembered | answers

    def _send(self, key: str, source: Path | Readable, content_type: str) -> Stat:
        if self.bucket is None:
            raise StorageUnavailable("no bucket is configured")
        bucket = self.bucket
        stat = self.breaker.call(lambda: bucket.put(key, source, content_type))
        self._existence.learn(key, stat)
        return stat


def _ask_folder(local: LocalBackend, keys: list[str]) -> dict[str, Stat | None]:
    """What the folder says of each of `keys`, without those of which it cannot tell."""
    try:
        found = local.stats(keys)
    except StorageError as error:
        log.warning("The repository folder does not answer: %s", error)
        return {}
    if len(found) < len(keys):
        log.warning("The repository folder does not answer for %s files", len(keys) - len(found))
    return found


def _is_safe(key: str) -> bool:
    try:
        check_key(key)
    except ValueError:
        return False
    return True
