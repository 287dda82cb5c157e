"""Appending to a run's log: each append names the byte offset at which it belongs."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mod_test.logs import index
from mod_test.logs.source import FileLog, require_regular

LIMIT_BYTES = 256 * 1024 * 1024

_FULL = b"The log has reached its limit; what comes after this is not kept."
_FULL_LINE = re.compile(
    rb"(?:^|\n)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning orchestrator \| "
    + re.escape(_FULL)
    + rb"\n\Z"
)
_FULL_LINE_BYTES = 256


@dataclass(frozen=True, slots=True)
class Appended:
    """`offset`: how many bytes the log has now. `full`: it takes no more.

    `duplicate`: these bytes were already there, and nothing was written.
    """

    offset: int
    full: bool
    duplicate: bool


class OffsetMismatch(Exception):
    """The bytes do not belong at the log's end, which is at `true_offset`."""

    def __init__(self, true_offset: int) -> None:
        super().__init__(f"the log has {true_offset} bytes")
        self.true_offset = true_offset


def append(path: Path, offset: int, data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> Appended:
    """Append whole lines that belong at byte `offset`; the same append twice is harmless.

    Creates the log and its folder. What does not fit into `limit_bytes` is not kept: a last
    line says so, and later appends answer `full` and change nothing. The index beside the
    log follows.

    Raises ValueError when `data` does not end with a newline, OffsetMismatch when the log
    ends elsewhere (after a crash perhaps in the middle of a line: the client goes on at
    `true_offset`), and OSError for a symbolic link or a full disk (the log is as before).
    """
    if offset < 0 or not data.endswith(b"\n"):
        raise ValueError("an append is whole lines, each ended by a newline")
    with _locked(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if _is_full(descriptor, size):
            return Appended(size, full=True, duplicate=False)
        if offset + len(data) <= size and FileLog(descriptor).read(offset, len(data)) == data:
            return Appended(size, full=False, duplicate=True)
        if offset != size:
            raise OffsetMismatch(size)
        full = size + len(data) > limit_bytes
        if full:
            data = _last_lines(descriptor, size, data, limit_bytes - size)
        _write(descriptor, size, data)
        index.extend(index.path_of(path), FileLog(descriptor))
        return Appended(size + len(data), full=full, duplicate=False)


def settle(path: Path) -> int:
    """End a line that a crash broke off; returns how many bytes the log has (0: no log).

    For whoever appends next without knowing the line's beginning: the run's next attempt,
    or the end of the run. Raises OSError for a symbolic link.
    """
    if not path.is_symlink() and not path.exists():
        return 0
    with _locked(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            _write(descriptor, size, b"\n")
            size += 1
        index.extend(index.path_of(path), FileLog(descriptor))
        return size


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The log, open for reading and writing, with nobody else appending to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    while True:
        descriptor = os.open(path, flags, 0o640)
        try:
            require_regular(descriptor, path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The file may have been replaced (a late upload) while we waited for the lock.
            if _still_there(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_full(descriptor: int, size: int) -> bool:
    low = max(0, size - _FULL_LINE_BYTES)
    return _FULL_LINE.search(os.pread(descriptor, size - low, low)) is not None


def _last_lines(descriptor: int, size: int, data: bytes, room: int) -> bytes:
    """The lines that still fit, and the one which says that the log is full."""
    kept = data[: data.rfind(b"\n", 0, max(0, room)) + 1]
    torn = not kept and size and os.pread(descriptor, 1, size - 1) != b"\n"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return (
        kept + (b"\n" if torn else b"") + f"{now} warning orchestrator | ".encode() + _FULL + b"\n"
    )


def _write(descriptor: int, offset: int, data: bytes) -> None:
    """Write all of it, or leave the file as it was and raise OSError."""
    left = memoryview(data)
    at = offset
    try:
        while left:
            written = os.pwrite(descriptor, left, at)
            at += written
            left = left[written:]
    except OSError:
        os.ftruncate(descriptor, offset)
        raise
