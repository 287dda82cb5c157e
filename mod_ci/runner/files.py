"""Files that others wrote: opened without following links, hashed, put in place whole."""

import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader | None:
    """The file for reading; None when it is no regular file, a link, or not there.

    Never blocks on a pipe that somebody put there.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return os.fdopen(fd, "rb")


def sha256_of(path: Path) -> str | None:
    """The SHA-256 in hex of a regular file; None when there is none."""
    file = open_regular(path)
    if file is None:
        return None
    with file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_executable(path: Path) -> bool:
    """Return whether it is a regular file that may be executed."""
    file = open_regular(path)
    if file is None:
        return False
    file.close()
    return os.access(path, os.X_OK)
