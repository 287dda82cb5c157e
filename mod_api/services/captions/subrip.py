"""SubRip and WebVTT: cues under a line `start --> end`.

pysubs2 reads the times. It does not read the files: it drops cue settings, identifiers and a
last line of digits, takes notes and inline times for captions, and strips white space,
which are all changes that a regression test has to see.
"""

import re

from mod_api.services.captions.cues import CaptionFile, CaptionFormat, Cue, make_cue
from mod_api.services.captions.timestamps import CLOCK, clock_ms

TIMES = re.compile(rf"\s*{CLOCK}\s*-->\s*{CLOCK}(?:\s+(\S.*))?\s*")
_NUMBER = re.compile(r"\s*[0-9]+\s*")


def read_subrip(text: str) -> CaptionFile:
    """The cues of a SubRip file; what is malformed is text of the cue before it."""
    lines = text.split("\n")
    heads = [(at, found) for at, line in enumerate(lines) if (found := _times(line))]
    outside = lines[: heads[0][0]] if heads else lines
    cues: list[Cue] = []
    for position, (at, times) in enumerate(heads):
        end = heads[position + 1][0] if position + 1 < len(heads) else len(lines)
        body = lines[at + 1 : end]
        # The number of the next cue is the line right above its times.
        if position + 1 < len(heads) and body and _NUMBER.fullmatch(body[-1]):
            outside.append(body.pop())
        cues.append(_cue(times, body, CaptionFormat.SUBRIP))
    return CaptionFile(CaptionFormat.SUBRIP, tuple(cues), " ".join(" ".join(outside).split()))


def read_webvtt(text: str) -> CaptionFile:
    """The cues of a WebVTT file; a cue ends at the first empty line, as the standard says."""
    outside: list[str] = []
    cues: list[Cue] = []
    for block in _blocks(text):
        heads = [(at, found) for at, line in enumerate(block) if (found := _times(line))]
        if not heads:
            outside += block
            continue
        outside += block[: heads[0][0]]
        ends = [at for at, _ in heads[1:]] + [len(block)]
        for (at, times), end in zip(heads, ends, strict=True):
            cues.append(_cue(times, block[at + 1 : end], CaptionFormat.WEBVTT))
    return CaptionFile(CaptionFormat.WEBVTT, tuple(cues), " ".join(" ".join(outside).split()))


def _times(line: str) -> re.Match[str] | None:
    return TIMES.fullmatch(line) if "-->" in line else None


def _blocks(text: str) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _cue(times: re.Match[str], body: list[str], format_: CaptionFormat) -> Cue:
    while body and not body[-1].strip():
        body.pop()
    start_ms = clock_ms(*times.group(1, 2, 3, 4))
    end_ms = clock_ms(*times.group(5, 6, 7, 8))
    style = " ".join((times[9] or "").split())
    return make_cue(start_ms, end_ms, "\n".join(body), style, format_)
