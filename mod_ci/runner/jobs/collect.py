"""What a job leaves behind: files by pattern, opened one folder after the other without links."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import BufferedReader
from pathlib import Path

from mod_ci.runner.limits import MIB

MOST_FILES = 200
MOST_BYTES = 100 * MIB
MOST_LOOKED_AT = 100_000
DEEPEST = 32


@dataclass(frozen=True)
class Left:
    """A file below the project, by its path there; None instead of a file: why it is not kept."""

    name: str
    file: BufferedReader | None
    problem: str = ""


def left_behind(project: Path, patterns: tuple[str, ...]) -> Iterator[Left]:
    """The files that patterns such as `dist/*.whl` or `reports/**` name, and what is refused.

    Each file is open and a regular one; a link that the job has put in the way of a folder or file
    leads nowhere. The caller closes each.
    """
    if not patterns:
        return
    count, total = 0, 0
    root = os.open(project, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for name in _names(root, patterns):
            file, problem = _open(root, name)
            if file is not None:
                size = os.fstat(file.fileno()).st_size
                if count >= MOST_FILES or total + size > MOST_BYTES:
                    file.close()
                    file = None
                    problem = f"at most {MOST_FILES} files and {MOST_BYTES // MIB} MiB are kept"
                else:
                    count, total = count + 1, total + size
            yield Left(name, file, problem)
    finally:
        os.close(root)


def _names(root: int, patterns: tuple[str, ...]) -> list[str]:
    """The paths that match, found without following a link."""
    found = []
    waiting: list[tuple[str, int]] = [("", 0)]
    looked_at = 0
    while waiting and looked_at < MOST_LOOKED_AT:
        path, depth = waiting.pop()
        folder = _folder(root, path)
        if folder is None:
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    looked_at += 1
                    name = f"{path}/{entry.name}" if path else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if depth < DEEPEST:
                            waiting.append((name, depth + 1))
                    elif any(_matches(name, pattern) for pattern in patterns):
                        found.append(name)
                    if looked_at >= MOST_LOOKED_AT:
                        break
        finally:
            os.close(folder)
    return sorted(found)


def _matches(name: str, pattern: str) -> bool:
    """Match by components: `*` within one, `**` any number of them."""

    def match(parts: list[str], wanted: list[str]) -> bool:
        if not wanted:
            return not parts
        if wanted[0] == "**":
            return any(match(parts[at:], wanted[1:]) for at in range(len(parts) + 1))
        return bool(parts) and fnmatchcase(parts[0], wanted[0]) and match(parts[1:], wanted[1:])

    wanted = [part for part in pattern.split("/") if part not in ("", ".")]
    return match(name.split("/"), wanted[:DEEPEST])


def _folder(root: int, path: str) -> int | None:
    at = os.dup(root)
    for part in path.split("/") if path else ():
        try:
            how = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(part, how, dir_fd=at)
        except OSError:
            return None
        finally:
            os.close(at)
        at = inner
    return at


def _open(root: int, name: str) -> tuple[BufferedReader | None, str]:
    parent, _, last = name.rpartition("/")
    folder = _folder(root, parent)
    if folder is None:
        return None, "a folder of its path is a link, or is gone"
    try:
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(last, how, dir_fd=folder)
    except OSError as error:
        return None, f"it is a link, or cannot be read ({error.strerror})"
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        return None, "it is no regular file"
    return os.fdopen(file, "rb"), ""
