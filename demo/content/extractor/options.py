"""The command line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from .failures import Exit, ExtractionError

FORMATS = {"srt": ".srt", "ttxt": ".ttxt", "webvtt": ".vtt", "report": "", "null": ""}

HELP = """\
Usage: ccextractor [options] INPUT          ("-" reads standard input)

  -out=FORMAT     srt (default), ttxt, webvtt, report or null
  -o FILE         where to write; beside the input when not given
  -stdout         write captions to standard output
  -1, -2, -12     the first caption track (default), the second, or both:
                  FILE_1.srt and FILE_2.srt
  -delay MS       move all captions by this many milliseconds, may be negative
  -startat TIME   only captions from this time on: seconds, MM:SS or HH:MM:SS
  -endat TIME     only captions until this time
  -utf8, -latin1  the encoding of the output (default UTF-8)
  -bom            begin UTF-8 output with a byte order mark
  -lf             end lines with LF, not with CR LF
  -trim           no spaces at the ends of lines
  -sc             sentence case: captions in capitals become easier to read
  -nofc           no font colors
  -nots           no typesetting: no italics
  -quiet          no progress
"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; times in milliseconds."""

    source: str = ""
    format: str = "srt"
    target: Path | None = None
    to_stdout: bool = False
    tracks: tuple[int, ...] = (1,)
    delay: int = 0
    start_at: int | None = None
    end_at: int | None = None
    encoding: str = "utf-8"
    newline: str = "\r\n"
    trim: bool = False
    sentence_case: bool = False
    colors: bool = True
    typesetting: bool = True
    quiet: bool = False
    sources: tuple[str, ...] = field(default=(), repr=False)

    @property
    def prints_captions(self) -> bool:
        """Return whether standard output is taken, so that progress must go elsewhere."""
        return self.to_stdout or self.format == "report"


SWITCHES: dict[str, dict[str, object]] = {
    "-stdout": {"to_stdout": True},
    "-1": {"tracks": (1,)},
    "-2": {"tracks": (2,)},
    "-12": {"tracks": (1, 2)},
    "-utf8": {"encoding": "utf-8"},
    "-latin1": {"encoding": "latin-1"},
    "-bom": {"encoding": "utf-8-sig"},
    "-lf": {"newline": "\n"},
    "-trim": {"trim": True},
    "-sc": {"sentence_case": True},
    "-nofc": {"colors": False},
    "-nots": {"typesetting": False},
    "-quiet": {"quiet": True},
}


def parse(arguments: list[str]) -> Options:
    """The options of a command line without the program's name.

    Raises ExtractionError for what cannot be understood, for options that contradict each other,
    and when there is not exactly one input.
    """
    options = Options()
    rest = iter(arguments)
    for argument in rest:
        options = _with(options, argument, rest)
    if not options.sources:
        raise ExtractionError(Exit.NO_INPUT_FILE, "No input file given.")
    if len(options.sources) > 1:
        raise ExtractionError(Exit.TOO_MANY_INPUT_FILES, "Only one input file can be read.")
    if options.to_stdout and (options.target or len(options.tracks) > 1):
        raise ExtractionError(Exit.INCOMPATIBLE_PARAMETERS, "-stdout excludes -o and -12.")
    return replace(options, source=options.sources[0])


def _with(options: Options, argument: str, rest: Iterator[str]) -> Options:
    """The options changed by one argument, which may take its value from the rest."""
    if argument in ("-h", "--help"):
        raise ExtractionError(Exit.HELP, HELP)
    if argument in SWITCHES:
        return replace(options, **SWITCHES[argument])  # type: ignore[arg-type]
    if argument == "-" or not argument.startswith("-"):
        return replace(options, sources=(*options.sources, argument))
    if argument.startswith("-out="):
        name = argument.removeprefix("-out=")
        if name not in FORMATS:
            raise ExtractionError(Exit.MALFORMED_PARAMETER, f"Unknown output format: {name}")
        return replace(options, format=name)
    if argument == "-o":
        return replace(options, target=Path(_value(argument, rest)))
    if argument == "-delay":
        return replace(options, delay=_milliseconds(argument, rest))
    if argument == "-startat":
        return replace(options, start_at=_time(argument, rest))
    if argument == "-endat":
        return replace(options, end_at=_time(argument, rest))
    raise ExtractionError(Exit.MALFORMED_PARAMETER, f"Unknown parameter: {argument}")


def _value(name: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise ExtractionError(Exit.MALFORMED_PARAMETER, f"{name} needs a value.")
    return value


def _milliseconds(name: str, rest: Iterator[str]) -> int:
    value = _value(name, rest)
    if not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise ExtractionError(
            Exit.MALFORMED_PARAMETER, f"{name} takes milliseconds, not {value!r}."
        )
    return int(value)


def _time(name: str, rest: Iterator[str]) -> int:
    value = _value(name, rest)
    if not re.fullmatch(r"([0-9]{1,3}:){0,2}[0-9]{1,6}", value):
        raise ExtractionError(Exit.MALFORMED_PARAMETER, f"{name} takes a time, not {value!r}.")
    seconds = 0
    for part in value.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds * 1000
