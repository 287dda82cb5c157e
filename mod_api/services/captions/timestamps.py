"""Times as caption formats write them."""

import re
from datetime import UTC, datetime

from pysubs2.time import timestamp_to_ms

# Hours are optional in WebVTT; some files of long recordings have more than two digits.
CLOCK = r"(?:([0-9]{1,5}):)?([0-9]{1,2}):([0-9]{1,2})[.,]([0-9]{1,3})"

_TRANSCRIPT = re.compile(
    r"(?P<hours>[0-9]{1,5}):(?P<minutes>[0-9]{2}):(?P<seconds>[0-9]{2})(?:[.,:](?P<ms>[0-9]{3}))?"
    r"|(?P<date>[0-9]{14})(?:[.,](?P<date_ms>[0-9]{3}))?"
    r"|(?P<elapsed>[0-9]{1,9})[.,](?P<elapsed_ms>[0-9]{3})"
)
_LAST_HOUR_SHOWN = 1_000


def clock_ms(hours: str | None, minutes: str, seconds: str, fraction: str) -> int:
    """The milliseconds of the groups that `CLOCK` matches."""
    return timestamp_to_ms((hours or "0", minutes, seconds, fraction))


def transcript_ms(field: str) -> int | None:
    """The milliseconds of a transcript's time column, None where it is no time.

    A clock, seconds with three decimals, or a date of 14 digits, which counts from 1970.
    """
    found = _TRANSCRIPT.fullmatch(field)
    if found is None:
        return None
    if found["hours"] is not None:
        clock = found["hours"], found["minutes"], found["seconds"]
        return timestamp_to_ms((*clock, found["ms"] or "000"))
    if found["elapsed"] is not None:
        return int(found["elapsed"]) * 1000 + int(found["elapsed_ms"])
    try:
        date = datetime.strptime(found["date"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(date.timestamp()) * 1000 + int(found["date_ms"] or 0)


def shown(time_ms: int) -> str:
    """A time for people: a clock, or the date in UTC where it is one."""
    hours, rest = divmod(time_ms, 3_600_000)
    if hours >= _LAST_HOUR_SHOWN * 100:
        return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"
    minutes, rest = divmod(rest, 60_000)
    seconds, milliseconds = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"
