"""What a caption track is before it becomes a file: a sequence of timed texts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cue:
    """One caption: from `start` to `end` (ms from the beginning), its lines from top to bottom.

    A line may hold the formatting of SubRip: `<i>...</i>` and `<font color="#rrggbb">...</font>`.
    """

    start: int
    end: int
    lines: tuple[str, ...]


def cue(start: int, end: int, *lines: str) -> Cue:
    """A cue from its times in ms and its lines."""
    return Cue(start, end, lines)


def subrip(cues: tuple[Cue, ...]) -> bytes:
    """The cues as a SubRip file in UTF-8."""
    return "".join(
        f"{number}\n{clock(item.start, ',')} --> {clock(item.end, ',')}\n"
        + "\n".join(item.lines)
        + "\n\n"
        for number, item in enumerate(cues, start=1)
    ).encode()


def clock(milliseconds: int, separator: str) -> str:
    """The time as `HH:MM:SS` with the milliseconds behind `separator`."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{separator}{rest:03}"
