"""Reaching a file below a folder without ever following a symbolic link.

A check of the path before it is opened can be overtaken by whoever exchanges a folder
for a link in between. Opening one component after the other, each relative to the one
before and none through a link, leaves nothing to overtake.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What opening says when a component is not there, is a link, or is no folder or file.
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EISDIR})


@contextmanager
def folder_of(root: int, key: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
    """Descriptor of the folder that holds `key` below the open folder `root`, and the last name.

    `key` is one that `check_key` let through. Missing folders are made with `create`.
    Raises OSError (see `is_absent`).
    """
    *folders, name = key.split("/")
    descriptor = os.dup(root)
    try:
        for folder in folders:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o755, dir_fd=descriptor)
                    os.fsync(descriptor)
            below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor, name
    finally:
        os.close(descriptor)


@contextmanager
def open_root(root: Path) -> Iterator[int]:
    """Descriptor of the repository folder, which itself may be a link: it is configured."""
    descriptor = os.open(root, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(folder: int, name: str) -> int:
    """Descriptor for reading; never waits for the other end of a pipe. Raises OSError."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=folder)


def is_absent(error: OSError) -> bool:
    """Return whether the error says that there is no such file, and not that the disk fails."""
    return error.errno in _ABSENT
