"""Whether anybody watches a log right now: a mark beside it that its readers keep fresh.

The mark is a file, so that readers and the runner's appends may be served by different processes
and hosts that share the folder.
"""

import os
import time
from pathlib import Path

FRESH_SECONDS = 10.0


def mark_of(log: Path) -> Path:
    """The mark of a log: `5.watched` beside `5.txt`."""
    return log.with_suffix(".watched")


def note(log: Path) -> None:
    """Somebody reads this log now, or waits for its first line."""
    path = mark_of(log)
    try:
        os.utime(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o640)


def is_watched(log: Path) -> bool:
    """Whether somebody has read this log in the last seconds."""
    try:
        return time.time() - mark_of(log).stat().st_mtime < FRESH_SECONDS
    except FileNotFoundError:
        return False


def forget(log: Path) -> None:
    """The log is final: nobody waits for more of it."""
    mark_of(log).unlink(missing_ok=True)
