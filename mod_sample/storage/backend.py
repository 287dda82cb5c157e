"""What every storage can do: the interface of the folder and of the bucket."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from mod_sample.storage.errors import OutOfRange


class Readable(Protocol):
    """Anything bytes can be read from, from where it stands to its end."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What a storage says of one file.

    `size` in bytes, `modified` in UTC. `etag` is the same in every storage for content
    that never changes. `generation` and `crc32c` (base64) are a bucket's.
    """

    size: int
    etag: str
    modified: datetime
    content_type: str | None = None
    generation: int | None = None
    crc32c: str | None = None


class Content:
    """Bytes `start` to `start + length` of a stored file; iterate once, then close.

    Also a context manager, and what a WSGI server can be handed: it closes what it sent.
    Iterating raises Damaged or StorageUnavailable where the bytes do not come whole, so
    that a short file is never taken for a whole one.
    """

    def __init__(
        self,
        stat: Stat,
        start: int,
        length: int,
        chunks: Iterator[bytes],
        release: Callable[[], None],
    ) -> None:
        self.stat = stat
        self.start = start
        self.length = length
        self._chunks = chunks
        self._release = release
        self._rest = b""

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def read(self, size: int, /) -> bytes:
        """At most `size` of the bytes that follow; none at the end. Not beside iterating."""
        if not self._rest:
            self._rest = next(self._chunks, b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        """Give back what is held open; closing twice is harmless."""
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Backend(Protocol):
    """One place where files are kept under the names of `keys`.

    Every function raises UnsafeName for a key that is none, and StorageUnavailable where
    the storage does not answer.
    """

    @property
    def name(self) -> str:
        """`local` or `gcs`."""

    def stat(self, key: str) -> Stat | None:
        """What is known of a file, or None when it is not here."""

    def open_range(
        self, key: str, start: int = 0, length: int | None = None, within_s: float | None = None
    ) -> Content:
        """The bytes from `start` on, `length` of them or as many as there are.

        `within_s` bounds the reading as a whole, in seconds. Raises NotStored, OutOfRange.
        """

    def put(self, key: str, source: Path | Readable, content_type: str) -> Stat:
        """Keep a file, whole or not at all. Raises WrongContent."""

    def signed_url(
        self, key: str, expires_seconds: int, filename: str, content_type: str
    ) -> str | None:
        """An address from which a client can fetch the file itself, or None."""

    def delete(self, key: str) -> None:
        """Remove a file; one that is not here is no error."""

    def ping(self, timeout: float) -> str | None:
        """Try whether the storage works, in about `timeout` seconds.

        Gives None, or a warning where it works but only just.
        """


def span(key: str, size: int, start: int, length: int | None) -> int:
    """Return how many bytes of a file of `size` bytes a range has. Raises OutOfRange."""
    if not 0 <= start <= size:
        raise OutOfRange(key, start, size)
    return size - start if length is None else max(0, min(length, size - start))
