"""The output formats."""

import re

from .captions import Caption, rolls_up
from .options import Options
from .reading import Track

STYLE_SHEET = """\
::cue {
  color: #ffffff;
  background: rgba(0, 0, 0, 0.8);
}
"""


def encoded(text: str, options: Options) -> bytes:
    """The text in the wanted encoding and with the wanted line endings."""
    if options.encoding == "latin-1":
        # Latin-1 has no music note; line 21's old decoders show a pilcrow for it.
        text = text.replace("♪", "¶")
    return text.replace("\n", options.newline).encode(options.encoding, "replace")


def written(captions: list[Caption], track: Track, options: Options) -> bytes:
    """The captions as a file in the wanted format."""
    if options.format == "webvtt":
        return encoded(webvtt(captions), options)
    if options.format == "ttxt":
        return encoded(transcript(captions, track), options)
    return encoded(subrip(captions), options)


def subrip(captions: list[Caption]) -> str:
    """A SubRip file."""
    return "".join(
        f"{number}\n{clock(caption.start)} --> {clock(caption.end)}\n"
        + "\n".join(caption.lines)
        + "\n\n"
        for number, caption in enumerate(captions, start=1)
    )


def webvtt(captions: list[Caption]) -> str:
    """A WebVTT file; colors are left to the style sheet."""
    return "WEBVTT\n\n" + "".join(
        f"{clock(caption.start, '.')} --> {clock(caption.end, '.')}\n"
        + "\n".join(_without_colors(text) for text in caption.lines)
        + "\n\n"
        for caption in captions
    )


def transcript(captions: list[Caption], track: Track) -> str:
    """CCExtractor's timed transcript: `start|end|mode|text`, every line that appears once."""
    mode = _mode(captions, track)
    rows = []
    before: tuple[str, ...] = ()
    for caption in captions:
        for text in caption.lines:
            if not (mode == "RU2" and text in before):
                times = f"{clock(caption.start)}|{clock(caption.end)}"
                rows.append(f"{times}|{mode}|{re.sub('<[^>]*>', '', text)}\n")
        before = caption.lines
    return "".join(rows)


def clock(milliseconds: int, separator: str = ",") -> str:
    """`HH:MM:SS` and the milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{separator}{rest:03}"


def _mode(captions: list[Caption], track: Track) -> str:
    if track.codec == "dvb_teletext":
        return "TLT"
    if track.codec == "eia_608":
        return "RU2" if rolls_up(captions) else "POP"
    return "TXT"


def _without_colors(text: str) -> str:
    return re.sub(r"</?font[^>]*>", "", text)
