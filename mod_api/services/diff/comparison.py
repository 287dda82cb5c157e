"""Decides where a comparison is made: here when it is small, else in a child with limits.

libgit2 holds the interpreter's lock while it compares, and two files can be made such that
it takes minutes. A thread cannot be stopped in that; a process can.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from mod_api.services.diff import libgit2
from mod_api.services.diff.model import Comparison
from mod_regression.changes import GaveUp

# Sizes are of both files together.
MAX_BYTES_IN_PROCESS = 256_000
MAX_BYTES = 128 * 1024 * 1024
MAX_CONTEXT_LINES = 50
TIME_LIMIT_S = 2.0

_CHILDREN_AT_ONCE = 2
_children = threading.BoundedSemaphore(_CHILDREN_AT_ONCE)


class DiffError(Exception):
    """The process that compares could not do its work; says what it printed."""


def compare(expected: bytes | Path, actual: bytes | Path, context_lines: int) -> Comparison:
    """Compare two files, given as their bytes or as paths, and say how they differ.

    `context_lines` (0 to 50) unchanged lines surround each change. Takes little more than
    two seconds: what is not compared by then has `gave_up`.
    Raises OSError when a path cannot be read, ValueError for another number of context
    lines, DiffError when comparing itself is broken.
    """
    if not 0 <= context_lines <= MAX_CONTEXT_LINES:
        raise ValueError(f"context_lines must be 0 to {MAX_CONTEXT_LINES}, not {context_lines}")
    size = _size(expected) + _size(actual)
    if size <= MAX_BYTES_IN_PROCESS:
        raw = libgit2.compare(_content(expected), _content(actual), context_lines)
        return Comparison.from_raw(raw)
    if size > MAX_BYTES:
        return _given_up(GaveUp.TOO_LARGE)
    return _compare_in_child(expected, actual, context_lines)


def _size(content: bytes | Path) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _content(content: bytes | Path) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _compare_in_child(
    expected: bytes | Path, actual: bytes | Path, context_lines: int
) -> Comparison:
    deadline = time.monotonic() + TIME_LIMIT_S
    if not _children.acquire(timeout=TIME_LIMIT_S):
        return _given_up(GaveUp.BUSY)
    try:
        with ExitStack() as files:
            # Open files rather than names: what is deleted meanwhile can still be read.
            descriptors = [_opened(content, files).fileno() for content in (expected, actual)]
            return _run(descriptors, context_lines, deadline)
    finally:
        _children.release()


def _opened(content: bytes | Path, files: ExitStack) -> BinaryIO:
    if isinstance(content, Path):
        return files.enter_context(content.open("rb"))
    file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - `files` closes it
    file.write(content)
    file.seek(0)
    return file


def _run(descriptors: list[int], context_lines: int, deadline: float) -> Comparison:
    command = [sys.executable, "-I", libgit2.__file__, *map(str, descriptors), str(context_lines)]
    with subprocess.Popen(  # noqa: S603 - this interpreter, this project's file, three numbers
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
        start_new_session=True,
        # The child needs none of the server's secrets.
        env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
    ) as child:
        try:
            out, err = child.communicate(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return _given_up(GaveUp.TIME_LIMIT)
        finally:
            if child.returncode is None:
                os.killpg(child.pid, signal.SIGKILL)
    if child.returncode < 0:
        return _given_up(GaveUp.TIME_LIMIT)  # its own limit of processor time, or the kernel's
    if child.returncode == libgit2.EXIT_OUT_OF_MEMORY:
        return _given_up(GaveUp.MEMORY_LIMIT)
    if child.returncode != 0:
        raise DiffError(err.decode("utf-8", "replace")[-1000:].strip())
    return Comparison.from_raw(json.loads(out))


def _given_up(why: GaveUp) -> Comparison:
    return Comparison(identical=False, gave_up_because=why)
