"""The time that a line carries, in the usual shapes."""

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MONTH = "|".join(_MONTHS)
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?(?![\d:])"
_ZONE = r"(?:\s?(?:(?:Z|UTC|GMT)\b|(?P<zone>[+-]\d\d:?\d\d)(?!\d)))?"
# A level may stand before the time ("ERROR 2024-..."), nothing else may.
_BEFORE = r"\s*[\[(<]?(?P<word>[A-Za-z]{3,11}[\])>:]?[\s|:-]{1,3}[\[(<]?)?"

_SHAPES = (
    # 2024-01-02T03:04:05.678Z, 2024-01-02 03:04:05,678, [2024/01/02 03:04:05 +0100]
    re.compile(
        _BEFORE
        + r"(?P<year>\d{4})[-/](?P<month>\d\d)[-/](?P<day>\d\d)(?:[Tt_]|,?\s)"
        + _CLOCK
        + _ZONE
        + r"[\])>]?",
        re.ASCII,
    ),
    # [02/Jan/2024:03:04:05 +0000]
    re.compile(
        _BEFORE
        + rf"(?P<day>\d\d)/(?P<month>{_MONTH})/(?P<year>\d{{4}})[: ]"
        + _CLOCK
        + _ZONE
        + r"[\])>]?",
        re.ASCII,
    ),
    # Tue Jan  2 03:04:05 UTC 2024
    re.compile(
        r"\s*[\[(<]?(?P<word>)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+"
        rf"(?P<month>{_MONTH})\s+(?P<day>\d\d?)\s+"
        + _CLOCK
        + _ZONE
        + r"\s+(?P<year>\d{4})\b[\])>]?",
        re.ASCII,
    ),
)


def carried(text: str) -> tuple[datetime, int] | None:
    """The time at the start of an old log's line, in UTC, and where to look for its level.

    That is behind the time, or 0 when a word stands before it. A time without a zone is
    taken as UTC. None when the line starts with no valid time.
    """
    if ":" not in text:
        return None
    for shape in _SHAPES:
        if found := shape.match(text):
            moment = _moment(found)
            return (moment, 0 if found["word"] else found.end()) if moment else None
    return None


def exact(text: str) -> datetime | None:
    """The time of `2026-01-01T00:00:01.123Z`; None when there is no such day or hour."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _moment(found: re.Match[str]) -> datetime | None:
    month = found["month"]
    try:
        return datetime(
            int(found["year"]),
            _MONTHS[month] if month in _MONTHS else int(month),
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            int(found["second"]),
            int((found["fraction"] or "0").ljust(6, "0")[:6]),
            tzinfo=_zone(found["zone"]),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text:
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)
