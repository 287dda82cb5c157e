"""The extractor from its command line to its exit code."""

import sys
from pathlib import Path

from . import VERSION, reading
from .captions import Caption, edited
from .failures import Exit, ExtractionError
from .options import FORMATS, Options, parse
from .report import report
from .writing import STYLE_SHEET, encoded, written


def main(arguments: list[str]) -> int:
    """Do what the arguments ask for and return the exit code."""
    try:
        extract(parse(arguments))
    except ExtractionError as failure:
        sys.stderr.write(f"{str(failure).rstrip()}\n")
        return failure.code
    return Exit.OK


def extract(options: Options) -> None:
    """Read the input and write what is asked for. Raises ExtractionError."""
    say(options, f"CCExtractor demo {VERSION}")
    with reading.opened(options.source) as media:
        tracks = reading.tracks(media)
        say(options, f"Caption tracks: {len(tracks)}")
        if options.format == "report":
            found = [(track, reading.captions(media, track)) for track in tracks]
            sys.stdout.buffer.write(encoded(report(found), options))
            return
        wanted = [track for track in tracks if track.number in options.tracks]
        read = [(track, edited(reading.captions(media, track), options)) for track in wanted]
    if not any(captions for _, captions in read):
        raise ExtractionError(Exit.NO_CAPTIONS, "No captions were found in input.")
    for track, captions in read:
        progress(options, captions)
        save(options, track, captions)


def save(options: Options, track: reading.Track, captions: list[Caption]) -> None:
    """Write one track's captions where the options want them. Raises ExtractionError."""
    if options.format == "null":
        return
    content = written(captions, track, options)
    if options.to_stdout:
        sys.stdout.buffer.write(content)
        return
    target = destination(options, track.number)
    try:
        target.write_bytes(content)
        if options.format == "webvtt":
            target.with_suffix(".css").write_bytes(encoded(STYLE_SHEET, options))
    except OSError as error:
        raise ExtractionError(
            Exit.CANNOT_WRITE, f"{target.name} cannot be written: {error}"
        ) from error
    say(options, f"{len(captions)} captions written to {target.name}")


def destination(options: Options, track: int) -> Path:
    """The file for a track: numbered when there are several, named after the input by default."""
    stem = "output" if options.source == "-" else options.source
    target = options.target or Path(stem).with_suffix(FORMATS[options.format])
    if len(options.tracks) == 1:
        return target
    return target.with_stem(f"{target.stem}_{track}")


def progress(options: Options, captions: list[Caption]) -> None:
    """Show how far the track is, as the percentage of its time and the time."""
    for caption in captions:
        percent = caption.end * 100 // captions[-1].end
        seconds = caption.end // 1000
        say(options, f"{percent:3}%  |  {seconds // 60:02}:{seconds % 60:02}")


def say(options: Options, message: str) -> None:
    """Show a line of progress where it does not mix with captions."""
    if not options.quiet:
        (sys.stderr if options.prints_captions else sys.stdout).write(f"{message}\n")
