"""Writes cues in each of the formats, for tests."""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Spoken(NamedTuple):
    """A cue to be written: milliseconds, and text with lines separated by newlines."""

    start: int
    end: int
    text: str


def clock(time: int, separator: str = ",") -> str:
    """A time in milliseconds as `HH:MM:SS,mmm`."""
    seconds, milliseconds = divmod(time, 1000)
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{separator}{milliseconds:03d}"


def subrip(cues: Sequence[Spoken]) -> str:
    """The cues as a SubRip file."""
    return "".join(
        f"{number}\n{clock(cue.start)} --> {clock(cue.end)}\n{cue.text}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def webvtt(cues: Sequence[Spoken]) -> str:
    """The cues as a WebVTT file."""
    return "WEBVTT\n\n" + "".join(
        f"{clock(cue.start, '.')} --> {clock(cue.end, '.')} line:84%\n{cue.text}\n\n"
        for cue in cues
    )


def transcript(cues: Sequence[Spoken]) -> str:
    """The cues as a timed transcript, one line for each of their rows."""
    return "".join(
        f"{clock(cue.start)}|{clock(cue.end)}|POP|{row}\n"
        for cue in cues
        for row in cue.text.split("\n")
    )


FORMATS: dict[str, Callable[[Sequence[Spoken]], str]] = {
    "srt": subrip,
    "vtt": webvtt,
    "ttxt": transcript,
}
