"""Caption tracks of a media file, found and decoded by ffmpeg."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .captions import Caption
from .failures import Exit, ExtractionError

STREAM = re.compile(r"^ *Stream #0:\d+(?:\[\w+\])?(?:\((\w+)\))?: Subtitle: (\w+)", re.MULTILINE)
CUE = re.compile(
    r"\d+\n(\d+):(\d\d):(\d\d),(\d{3}) --> (\d+):(\d\d):(\d\d),(\d{3})[^\n]*\n(.*?)\n(?=\n|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Track:
    """A caption track: its place among the tracks (from 1), codec, and language or None."""

    number: int
    codec: str
    language: str | None


@contextmanager
def opened(source: str) -> Iterator[Path]:
    """The input as a file; standard input (`-`) is copied into a temporary one.

    Raises ExtractionError when there is no such file.
    """
    if source != "-":
        if not Path(source).is_file():
            raise ExtractionError(Exit.NO_INPUT_FILE, f"No such input file: {Path(source).name}")
        yield Path(source)
        return
    # ffmpeg reads the input twice, and some containers from the end.
    with tempfile.NamedTemporaryFile(prefix="ccextractor-") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


def tracks(media: Path) -> list[Track]:
    """The caption tracks of the file, in its order. Raises ExtractionError for no media file."""
    told = _ffmpeg("-i", str(media)).stderr.decode("utf-8", "replace")
    if not re.search(r"^Input #0", told, re.MULTILINE):
        raise ExtractionError(Exit.READ_ERROR, "The input is not a media file that can be read.")
    return [
        Track(number, codec, language if language != "und" else None)
        for number, (language, codec) in enumerate(_streams(told), start=1)
    ]


def captions(media: Path, track: Track) -> list[Caption]:
    """The captions of one track. Raises ExtractionError when they cannot be decoded."""
    teletext = track.codec == "dvb_teletext"
    decoded = _ffmpeg(
        *(["-txt_format", "text", "-fix_sub_duration"] if teletext else []),
        *["-copyts", "-i", str(media), "-map", f"0:s:{track.number - 1}"],
        *["-c:s", "subrip", "-f", "srt", "-"],
    )
    if decoded.returncode:
        raise ExtractionError(Exit.READ_ERROR, decoded.stderr.decode("utf-8", "replace"))
    return list(_cues(decoded.stdout.decode("utf-8", "replace")))


def _streams(told: str) -> list[tuple[str | None, str]]:
    return [(found[1], found[2]) for found in STREAM.finditer(told)]


def _cues(subrip: str) -> Iterator[Caption]:
    for found in CUE.finditer(subrip):
        start, end = _milliseconds(found.groups()[:4]), _milliseconds(found.groups()[4:8])
        lines = tuple(text for text in map(_cleaned, found[9].split("\n")) if text.strip())
        if lines:
            yield Caption(start, end, lines)


def _milliseconds(parts: tuple[str, ...]) -> int:
    hours, minutes, seconds, rest = map(int, parts)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def _cleaned(text: str) -> str:
    """A line without what ffmpeg adds for line 21: a typeface, and positions in braces."""
    text = re.sub(r"\{\\[^}]*\}", "", text).replace("\\h", " ")
    if '<font face="' in text or not re.search(r"<font ", text):
        text = re.sub(r'<font face="[^"]*">|</font>', "", text)
    return text.rstrip()


def _ffmpeg(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [program(), "-hide_banner", "-nostdin", *arguments]
    try:
        # Every argument is ours but for the name of the input, which is one argument.
        return subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise ExtractionError(Exit.READ_ERROR, f"ffmpeg cannot be started: {error}") from error


def program() -> str:
    """Where ffmpeg is: in $FFMPEG, else in the package imageio-ffmpeg, else on the path."""
    if named := os.environ.get("FFMPEG"):
        return named
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return "ffmpeg"
