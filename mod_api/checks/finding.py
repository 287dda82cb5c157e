"""A finding of `flask check`."""

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """Whether it is as it should be, works with less, or does not work."""

    ok = "ok"
    warn = "warn"
    fail = "fail"


@dataclass(frozen=True)
class Finding:
    """One line of what `flask check` says: how `subject` is, in a sentence."""

    level: Level
    subject: str
    message: str


def ok(subject: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.ok, subject, message)


def warn(subject: str, message: str) -> Finding:
    """It works, with less than it could."""
    return Finding(Level.warn, subject, message)


def fail(subject: str, message: str) -> Finding:
    """It does not work."""
    return Finding(Level.fail, subject, message)
