"""Times as caption formats write them, in milliseconds."""

import re
from datetime import UTC, datetime
from functools import lru_cache

# Marks of direction, joiners and byte order marks may stand around numbers and times.
INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_CLOCK = (
    r"-?(?:[0-9]{1,9}:)?-?[0-9]{1,9}:-?[0-9]{1,2}(?:[.,]-?[0-9]{1,9}|:[0-9]{3}(?![0-9]))?"
    r"(?![0-9:.,])"
)
TIMES = re.compile(
    rf"[\s{INVISIBLE}]*({_CLOCK})\s*-{{1,3}}\s?>\s*({_CLOCK})(?:[\s{INVISIBLE}]+(\S.*)?)?"
)
# Digits and separators on both sides of something like an arrow, or an arrow after digits.
_LIKE_TIMES = re.compile(
    rf"[\s{INVISIBLE}]*-?[0-9][0-9:.,;'\s]*(?:-{{1,3}}\s?>|[-\u2013\u2014]>?|={{1,2}}>|\u2192)"
    r"[\s0-9:.,;'-]*(?:\s[A-Za-z].*)?"
)
_FEWEST_DIGITS = 4
_LONGEST_TIMES = 200
_PARTS = re.compile(r"(?:([0-9]+):)?([0-9]+):([0-9]+)(?:[.,:]([0-9]+))?")
_ROW_TIME = re.compile(
    r"(?P<clock>-?[0-9]{1,9}:-?[0-9]{1,2}:-?[0-9]{1,2}(?:[.,:]-?[0-9]{1,3})?)"
    r"|(?P<date>[0-9]{14})(?:[.,](?P<date_ms>[0-9]{3}))?"
    r"|(?P<sign>-?)(?P<elapsed>[0-9]{1,12})[.,](?P<elapsed_ms>-?[0-9]{3})"
)
_FIRST_DATE_HOUR = 100_000
_LAST_SECOND_SHOWN = 253_402_300_799  # of the year 9999
_FRACTION_DIGITS = 3
_LAST_MINUTE = 59


def clock_ms(clock: str) -> int:
    """The milliseconds of a clock that `TIMES` matches.

    A fraction of up to three digits, or of more than four, is decimal. Of four it is 1,000
    milliseconds where a program rounded up to them, else decimal too. Hours that stand in the
    place of the minutes as well count once.
    """
    hours, minutes, seconds, fraction = _PARTS.fullmatch(clock.replace("-", "")).groups()  # type: ignore[union-attr] # fmt: skip
    milliseconds = 0
    if fraction:
        whole = fraction == "1000"
        milliseconds = 1000 if whole else int(fraction[:3].ljust(_FRACTION_DIGITS, "0"))
    if hours == minutes and int(minutes) > _LAST_MINUTE:
        minutes = "0"
    total = (int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)) * 1000 + milliseconds
    return -total if "-" in clock else total


def is_like_times(line: str) -> bool:
    """Whether a line looks like a start and an end, though it cannot be read as such."""
    if ":" not in line or len(line) > _LONGEST_TIMES or _LIKE_TIMES.fullmatch(line) is None:
        return False
    return sum(map(str.isdigit, line)) >= _FEWEST_DIGITS


@lru_cache(1024)
def row_ms(field: str) -> int | None:
    """The milliseconds of a transcript's time column, None where it is no time.

    A clock, seconds with three decimals, or a date of 14 digits, which counts from 1970.
    """
    found = _ROW_TIME.fullmatch(field)
    if found is None:
        return None
    if found["clock"] is not None:
        return clock_ms(found["clock"])
    if found["elapsed"] is not None:
        total = int(found["elapsed"]) * 1000 + int(found["elapsed_ms"].removeprefix("-"))
        return -total if "-" in field else total
    try:
        date = datetime.strptime(found["date"], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(date.timestamp()) * 1000 + int(found["date_ms"] or 0)


def shown(time_ms: int) -> str:
    """A time for people: a clock, or the date in UTC where it is one."""
    sign, time_ms = ("-", -time_ms) if time_ms < 0 else ("", time_ms)
    hours, rest = divmod(time_ms, 3_600_000)
    if hours >= _FIRST_DATE_HOUR and not sign and time_ms // 1000 <= _LAST_SECOND_SHOWN:
        return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%d %H:%M:%S}"
    minutes, rest = divmod(rest, 60_000)
    seconds, milliseconds = divmod(rest, 1000)
    return f"{sign}{hours:02d}:{minutes:02d}:{seconds:02d},{milliseconds:03d}"
