"""What a media file is, in the XML of `mediainfo --Output=XML`, as far as ffmpeg tells it."""

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

from .extractor.reading import program

NAMESPACE = "https://mediaarea.net/mediainfo"
CONTAINERS = {
    "scc": "SCC",
    "mov": "QuickTime",
    "mp4": "MPEG-4",
    "mkv": "Matroska",
    "ts": "MPEG-TS",
    "srt": "SubRip",
}
CODECS = {
    "mpeg4": "MPEG-4 Visual",
    "aac": "AAC",
    "eia_608": "EIA-608",
    "mov_text": "Timed Text",
    "subrip": "UTF-8",
    "webvtt": "WebVTT",
    "ass": "ASS",
    "dvb_teletext": "Teletext Subtitle",
}
KINDS = {"Video": "Video", "Audio": "Audio", "Subtitle": "Text"}
STREAM = re.compile(
    r"^ *Stream #0:\d+(?:\[\w+\])?(?:\((\w+)\))?: (Video|Audio|Subtitle): (\w+)(.*)$", re.MULTILINE
)
DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d)\.(\d\d)")


def describe(path: Path) -> str:
    """The XML on the media file: a general track, then one for each of its streams.

    Raises OSError when there is no ffmpeg.
    """
    command = [program(), "-hide_banner", "-nostdin", "-i", str(path)]
    # ffmpeg fails for want of an output, after it has said all there is to know.
    told = subprocess.run(command, capture_output=True, check=False)
    return _document(path, told.stderr.decode("utf-8", "replace"))


def _document(path: Path, told: str) -> str:
    root = ElementTree.Element("MediaInfo", {"xmlns": NAMESPACE, "version": "2.0"})
    media = ElementTree.SubElement(root, "media", {"ref": path.name})
    streams = STREAM.findall(told)
    media.append(_general(path, told, [KINDS[kind] for _, kind, _, _ in streams]))
    for order, (language, kind, codec, rest) in enumerate(streams):
        media.append(_track(order, KINDS[kind], codec, language, rest))
    ElementTree.indent(root, space="")
    body = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _general(path: Path, told: str, kinds: list[str]) -> ElementTree.Element:
    extension = path.suffix.removeprefix(".")
    facts = {f"{kind}Count": str(kinds.count(kind)) for kind in KINDS.values() if kind in kinds}
    facts |= {"FileExtension": extension, "Format": CONTAINERS[extension]}
    facts["FileSize"] = str(path.stat().st_size)
    if found := DURATION.search(told):
        hours, minutes, seconds, hundredths = map(int, found.groups())
        facts["Duration"] = f"{(hours * 60 + minutes) * 60 + seconds}.{hundredths:02}0"
    return _element("General", facts)


def _track(order: int, kind: str, codec: str, language: str, rest: str) -> ElementTree.Element:
    facts = {"StreamOrder": str(order), "Format": CODECS[codec]}
    if size := re.search(r" (\d+)x(\d+)[ ,]", rest) if kind == "Video" else None:
        facts |= {"Width": size[1], "Height": size[2]}
    if rate := re.search(r" ([\d.]+) fps", rest):
        facts["FrameRate"] = f"{float(rate[1]):.3f}"
    if frequency := re.search(r" (\d+) Hz", rest):
        facts["SamplingRate"] = frequency[1]
    if language not in ("", "und"):
        facts["Language"] = language
    return _element(kind, facts)


def _element(kind: str, facts: dict[str, str]) -> ElementTree.Element:
    track = ElementTree.Element("track", {"type": kind})
    for name, value in facts.items():
        ElementTree.SubElement(track, name).text = value
    return track
