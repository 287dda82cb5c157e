"""Folders whose content is not to be trusted: measured without following, removed whole."""

import os
import subprocess
from pathlib import Path

# Deeper than any honest program goes; a path that is too long could not be measured.
DEEPEST = 64


def size_within(folder: Path, *, most_bytes: int, most_files: int) -> int | None:
    """Return how many bytes the files below a folder take; None when more than allowed.

    Links are not followed, and what vanishes meanwhile counts for nothing. Sparse files
    count with their length, since that is what reading them would give.
    """
    total, files = 0, 0
    waiting = [(str(folder), 0)]
    while waiting:
        path, depth = waiting.pop()
        if depth > DEEPEST:
            return None
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((entry.path, depth + 1))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
                    if files > most_files or total > most_bytes:
                        return None
        except OSError:
            continue  # removed meanwhile, or made unreadable by whoever owns it
    return total


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep and whatever its rights.

    Raises OSError when something is left.
    """
    if not os.path.lexists(folder):
        return
    # rm walks by file descriptor: a tree deeper than the longest path is no obstacle.
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
        subprocess.run(  # noqa: S603  # fixed programs, one path
            [*command, "--", str(folder)], stderr=subprocess.DEVNULL, check=False
        )
        if not os.path.lexists(folder):
            return
    raise OSError(f"{folder.name} could not be removed")
