"""Where a log's bytes come from: anything that has a size and can be read by ranges."""

import os
import re
import stat
from pathlib import Path
from typing import Protocol, Self


class LogSource(Protocol):
    """Bytes by offset. A local file is one; an object in a bucket can be another."""

    def size(self) -> int:
        """Return how many bytes there are now. It may grow between two calls."""

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from `offset`, `length` of them or fewer where the log ends before."""


_OVERWRITTEN = re.compile(rb"\r(?=[^\r\n])")


class Lines:
    """A log whose lines also end at a carriage return that other text follows.

    A progress bar writes its states over each other, and its last one, or a warning, over those.
    Each state is a line, as our runner writes them. Every byte keeps its offset.
    """

    def __init__(self, log: LogSource) -> None:
        self._log = log

    def size(self) -> int:
        """The log's size in bytes."""
        return self._log.size()

    def read(self, offset: int, length: int) -> bytes:
        """The log's bytes, with a newline for each carriage return that ends a line."""
        data = self._log.read(offset, length)
        if b"\r" not in data:
            return data
        following = self._log.read(offset + len(data), 1) if data.endswith(b"\r") else b""
        return _OVERWRITTEN.sub(b"\n", data + following)[: len(data)]


class FileLog:
    """A log in a local file, read at offsets: no position is shared between readers."""

    def __init__(self, descriptor: int) -> None:
        """Takes an open file descriptor; `close` (or leaving the `with`) closes it."""
        self._descriptor = descriptor

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the log for reading.

        Raises FileNotFoundError when there is none, and OSError for a symbolic link or
        anything else that is not a regular file.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags)
        try:
            require_regular(descriptor, path)
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def size(self) -> int:
        """The file's size in bytes."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """The bytes of the file from `offset`, at most `length`."""
        data = os.pread(self._descriptor, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]
        got = len(data)
        while got < length and (data := os.pread(self._descriptor, length - got, offset + got)):
            parts.append(data)
            got += len(data)
        return b"".join(parts)

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def require_regular(descriptor: int, path: Path) -> None:
    """Raise OSError unless the descriptor is of a regular file (a FIFO would block us)."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(f"{path.name} is not a regular file")
