"""This process's clock, in what the database keeps of a moment."""

from datetime import UTC, datetime


def now() -> datetime:
    """This process's clock: UTC, whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
