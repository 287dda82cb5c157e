"""A marker file beside a log that its followers keep fresh, so that the runner appends sooner.

It is a file so that readers and the runner's appends may be served by different processes
and hosts that share the folder. Where it cannot be written, reading goes on without it: the runner
then sends less often.
"""

import functools
import os
import time
from pathlib import Path

import structlog

logger = structlog.get_logger("logs")
FRESH_SECONDS = 10.0


def mark_of(log: Path) -> Path:
    """The mark of a log: `5.watched` beside `5.txt`."""
    return log.with_suffix(".watched")


def note(log: Path) -> None:
    """Note that somebody reads this log now, or waits for its first line."""
    try:
        _touch(mark_of(log))
    except OSError as error:
        _tell(str(log.parent), type(error).__name__)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o640)


@functools.cache
def _tell(folder: str, error: str) -> None:
    """Log once in a process that marks cannot be written."""
    logger.warning("log_cannot_be_marked", folder=folder, error=error)


def is_watched(log: Path) -> bool:
    """Return whether somebody has read this log in the last seconds."""
    try:
        return time.time() - mark_of(log).stat().st_mtime < FRESH_SECONDS
    except OSError:
        return False


def forget(log: Path) -> None:
    """Remove the marker of a final log: nobody waits for more of it."""
    try:
        mark_of(log).unlink(missing_ok=True)
    except OSError as error:
        _tell(str(log.parent), type(error).__name__)
