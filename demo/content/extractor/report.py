"""What a file has to extract, for `-out=report`."""

from .captions import Caption
from .reading import Track
from .writing import clock

KINDS = {"EIA-608": "eia_608", "Teletext": "dvb_teletext", "MPEG-4 Timed Text": "mov_text"}


def report(found: list[tuple[Track, list[Caption]]]) -> str:
    """The report on the tracks of a file with their captions."""
    codecs = {track.codec for track, _ in found}
    lines = [f"Caption tracks: {len(found)}"]
    lines += [f"{name}: {'Yes' if codec in codecs else 'No'}" for name, codec in KINDS.items()]
    for track, captions in found:
        lines += ["", f"Track {track.number}: {track.codec}, {track.language or 'no language'}"]
        lines.append(f"  Captions: {len(captions)}")
        if captions:
            lines.append(f"  First: {clock(captions[0].start)}")
            lines.append(f"  Last: {clock(captions[-1].end)}")
    return "\n".join(lines) + "\n"
