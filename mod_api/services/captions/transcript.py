"""CCExtractor's timed transcript: `start|end|channel|mode|text`, all but the start optional."""

import re
from typing import NamedTuple

from mod_api.services.captions.cues import CaptionFile, CaptionFormat, Cue, make_cue
from mod_api.services.captions.timestamps import transcript_ms

# Channels and languages, then modes; an empty column is a mode that was not known.
_COLUMN = re.compile(r"CC[0-9?]|[a-z]{3}|POP|PAI|RU[1-4]|TXT|TLT|XDS|DVB|608|708|\?\?\?|")
_MAX_COLUMNS = 3


class _Row(NamedTuple):
    start_ms: int
    end_ms: int
    columns: str
    text: str


def read_transcript(text: str) -> CaptionFile:
    """The cues of a transcript. Each row of a screen is a line there: rows make one cue."""
    outside: list[str] = []
    groups: list[tuple[_Row, list[str]]] = []
    for line in text.split("\n"):
        row = read_row(line)
        if row is None:
            if line.strip():
                # A line without times belongs to the cue above it.
                (groups[-1][1] if groups else outside).append(line)
        elif groups and groups[-1][0][:3] == row[:3]:
            groups[-1][1].append(row.text)
        else:
            groups.append((row, [row.text]))
    cues = tuple(_cue(row, lines) for row, lines in groups)
    return CaptionFile(CaptionFormat.TRANSCRIPT, cues, " ".join(" ".join(outside).split()))


def read_row(line: str) -> _Row | None:
    """One line taken apart, None where it does not begin with a time."""
    first, bar, rest = line.partition("|")
    start_ms = transcript_ms(first.strip()) if bar else None
    if start_ms is None:
        return None
    end_ms = start_ms
    second, bar, after = rest.partition("|")
    if bar and (found := transcript_ms(second.strip())) is not None:
        end_ms, rest = found, after
    columns: list[str] = []
    while len(columns) < _MAX_COLUMNS:
        column, bar, after = rest.partition("|")
        if not bar or not _COLUMN.fullmatch(column):
            break
        columns.append(column)
        rest = after
    return _Row(start_ms, end_ms, "|".join(columns), rest)


def _cue(row: _Row, lines: list[str]) -> Cue:
    text = "\n".join(lines)
    return make_cue(row.start_ms, row.end_ms, text, row.columns, CaptionFormat.TRANSCRIPT)
