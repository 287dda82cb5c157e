"""Write those pairs of the caption corpus that real tools make, each with the kind of its edit.

    .venv/bin/python -m scripts.caption_corpus

A short file of captions is edited in a known way, and both the original and the edited captions
are written by the same tool: ffmpeg, pysubs2, pycaption, ttconv or webvtt-py. Other pairs are the
same captions as two tools write them. The files are committed: tests need none of the tools.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

CORPUS = Path(__file__).parent.parent / "tests/mod_api/services/captions/corpus"
TEXTS = [
    "Good evening and welcome.",
    "The harbour council met today\nto discuss the new pier.",
    "[MUSIC]",
    "It has rained for nine days.",
    "« Café au lait », said the mayor.",
    "[MUSIC]",
    "Fishermen are worried,\nand so are the gulls.",
    "Nobody minds the rain.",
    "[MUSIC]",
    "Back to you, Ann.",
]


class Said(NamedTuple):
    """A cue: milliseconds, and text with lines separated by newlines."""

    start: int
    end: int
    text: str


CUES = [Said(1000 + 3000 * at, 3400 + 3000 * at, text) for at, text in enumerate(TEXTS)]
Cues = list[Said]


def clock(time_ms: int) -> str:
    """A time as SubRip has it."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"00:{seconds // 60:02}:{seconds % 60:02},{milliseconds:03}"


def subrip(cues: Cues) -> str:
    """The captions as SubRip, from which every tool converts."""
    return "".join(
        f"{number}\n{clock(cue.start)} --> {clock(cue.end)}\n{cue.text}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def ffmpeg(extension: str) -> Callable[[Cues], bytes]:
    """Write with ffmpeg, by its demuxer of SubRip and the muxer of an extension."""

    def write(cues: Cues) -> bytes:
        import imageio_ffmpeg

        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder, "in.srt"), Path(folder, f"out.{extension}")
            given.write_text(subrip(cues), encoding="utf-8")
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", given, made]
            subprocess.run(command, check=True)
            return made.read_bytes()

    return write


def pysubs2(format_: str) -> Callable[[Cues], bytes]:
    """Write with pysubs2."""

    def write(cues: Cues) -> bytes:
        import pysubs2 as library

        return library.SSAFile.from_string(subrip(cues)).to_string(format_).encode()

    return write


def pycaption(writer: str) -> Callable[[Cues], bytes]:
    """Write with one of pycaption's writers."""

    def write(cues: Cues) -> bytes:
        import pycaption as library

        captions = library.SRTReader().read(subrip(cues))
        written: str = getattr(library, writer)().write(captions)
        return written.encode()

    return write


def ttconv(module: str) -> Callable[[Cues], bytes]:
    """Write with one of ttconv's writers."""

    def write(cues: Cues) -> bytes:
        import importlib

        from ttconv.srt import reader

        model = reader.to_model(io.StringIO(subrip(cues)))
        found = importlib.import_module(f"ttconv.{module}.writer").from_model(model)
        if isinstance(found, str):
            return found.encode()
        made = io.BytesIO()
        found.write(made, encoding="utf-8")
        return made.getvalue()

    return write


def webvtt_py(cues: Cues) -> bytes:
    """Write with webvtt-py."""
    import webvtt

    return str(webvtt.from_buffer(io.StringIO(subrip(cues)), format="srt").content).encode()


WRITERS: dict[str, tuple[str, str, Callable[[Cues], bytes]]] = {
    "ffmpeg-srt": ("srt", "ffmpeg", ffmpeg("srt")),
    "ffmpeg-vtt": ("vtt", "ffmpeg", ffmpeg("vtt")),
    "ffmpeg-ass": ("ass", "ffmpeg", ffmpeg("ass")),
    "pysubs2-vtt": ("vtt", "pysubs2", pysubs2("vtt")),
    "pysubs2-srt": ("srt", "pysubs2", pysubs2("srt")),
    "pycaption-srt": ("srt", "pycaption", pycaption("SRTWriter")),
    "pycaption-sami": ("smi", "pycaption", pycaption("SAMIWriter")),
    "pycaption-dfxp": ("ttml", "pycaption", pycaption("DFXPWriter")),
    "ttconv-vtt": ("vtt", "ttconv", ttconv("vtt")),
    "ttconv-srt": ("srt", "ttconv", ttconv("srt")),
    "ttconv-imsc": ("ttml", "ttconv", ttconv("imsc")),
    "webvtt-py": ("vtt", "webvtt-py", webvtt_py),
}


def shifted(cues: Cues, by: int) -> Cues:
    """The cues with all times moved."""
    return [Said(cue.start + by, cue.end + by, cue.text) for cue in cues]


def instead(at: int, *others: Said) -> Cues:
    """The cues with others in the place of one."""
    return [*CUES[:at], *others, *CUES[at + 1 :]]


FIRST, SPLIT = CUES[0], CUES[6]
ROWS = SPLIT.text.split("\n")
# Each edit with the kinds that it is, and the numbers of cues.
EDITS: dict[str, tuple[Cues, dict[str, int]]] = {
    "shift": (shifted(CUES, 500), {"timing_shift": 10}),
    "missing": (CUES[:3] + CUES[4:], {"missing_cues": 1}),
    "missing-repeated": (CUES[:5] + CUES[6:], {"missing_cues": 1}),
    "extra": ([*CUES, Said(40_000, 42_000, "Thank you, Bob.")], {"extra_cues": 1}),
    "word": (instead(3, CUES[3]._replace(text="It has snowed for nine days.")), {"text": 1}),
    "upper-case": ([cue._replace(text=cue.text.upper()) for cue in CUES], {"text": 7}),
    "later-end": (instead(7, CUES[7]._replace(end=CUES[7].end + 200)), {"timing": 1}),
    "split": (
        instead(6, Said(SPLIT.start, 20_200, ROWS[0]), Said(20_200, SPLIT.end, ROWS[1])),
        {"split_or_merged": 1},
    ),
    "shift-and-word": (
        shifted(instead(0, FIRST._replace(text="Good morning and welcome.")), -400),
        {"text": 1, "timing_shift": 10},
    ),
}
# By how much an edit moves the cues, by the end of a pair's name.
SHIFTS = {"-shift": 500, "-shift-and-word": -400, "unix-times": 472_222 * 3_600_000}
# The same captions as two tools write them.
CONVERSIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "srt-to-vtt": ("ffmpeg-srt", "ffmpeg-vtt", {"formatting": 10}),
    "srt-to-ass": ("ffmpeg-srt", "ffmpeg-ass", {"formatting": 10}),
    "srt-to-dfxp": ("pycaption-srt", "pycaption-dfxp", {"formatting": 10}),
    "srt-to-imsc": ("ttconv-srt", "ttconv-imsc", {"formatting": 10}),
    "vtt-by-ffmpeg-and-pysubs2": ("ffmpeg-vtt", "pysubs2-vtt", {"formatting": 10}),
    "vtt-by-ffmpeg-and-webvtt-py": ("ffmpeg-vtt", "webvtt-py", {"formatting": 10}),
    "vtt-by-ttconv-and-webvtt-py": ("ttconv-vtt", "webvtt-py", {"formatting": 0}),
    "srt-by-ffmpeg-and-pysubs2": ("ffmpeg-srt", "pysubs2-srt", {"identical": 10}),
    "srt-by-ffmpeg-and-ttconv": ("ffmpeg-srt", "ttconv-srt", {"whitespace": 0}),
    "srt-by-pycaption-and-ffmpeg": ("pycaption-srt", "ffmpeg-srt", {"whitespace": 0}),
}


SRT = subrip(CUES)
VTT = "WEBVTT\n\n" + "".join(
    f"{clock(cue.start).replace(',', '.')} --> {clock(cue.end).replace(',', '.')}\n{cue.text}\n\n"
    for cue in CUES
)
PAGE = "19700101000001.000|19700101000003.400|777|Good evening.\n"
UNIX = SRT.replace("\n00:", "\n472222:").replace("> 00:", "> 472222:")
LATE = "00:00:01.000 --> 00:00:03.000"
HEAD = "WEBVTT\n\n"
OF_EXTRACTOR = "as CCExtractor writes it"
OF_STANDARD = "W3C WebVTT"
# Pairs that are edited as texts: their extension, both files, the kinds, and where they come from.
WRITTEN: dict[str, tuple[str, str, str, dict[str, int], str]] = {
    "arrow-without-spaces": ("srt", SRT, SRT.replace(" --> ", "-->"), {"formatting": 10}, "SubRip"),
    "space-behind-times": (
        "srt",
        SRT,
        SRT.replace("400\n", "400 \n"),
        {"formatting": 10},
        "SubRip",
    ),
    "short-fractions": ("srt", SRT, SRT.replace(",000 ", ",0 "), {"formatting": 10}, "SubRip"),
    "one-digit-hours": ("srt", SRT, SRT.replace("\n00:", "\n0:"), {"formatting": 10}, "SubRip"),
    "comma-in-webvtt": (
        "vtt",
        VTT,
        "WEBVTT\n\n" + VTT[8:].replace(".000 -", ",000 -"),
        {"formatting": 10},
        OF_STANDARD,
    ),
    "unix-times": ("srt", SRT, UNIX, {"timing_shift": 10}, "CCExtractor --unixts"),
    "word-at-unix-times": (
        "srt",
        UNIX,
        UNIX.replace("rained", "reined"),
        {"text": 1},
        "CCExtractor --unixts",
    ),
    "teletext-page": ("ttxt", PAGE, PAGE.replace("777", "888"), {"formatting": 1}, OF_EXTRACTOR),
    "teletext-page-and-mode": (
        "ttxt",
        PAGE.replace("777|", "777TLT|"),
        PAGE.replace("777|", "777|TLT|"),
        {"formatting": 1},
        OF_EXTRACTOR,
    ),
    "dates-for-clocks": (
        "ttxt",
        "00:00:01,266|00:00:03,000|RU2|FIRST LINE\n",
        "19700101000001,266|19700101000003,000|RU2|FIRST LINE\n",
        {"formatting": 1},
        "CCExtractor --datets",
    ),
    "xds-classes": (
        "ttxt",
        "00:00:01,266|00:00:03,000|XDS|CUR|Program name\n",
        "00:00:01,266|00:00:03,000|XDS|FUT|Program name\n",
        {"formatting": 1},
        OF_EXTRACTOR,
    ),
    "rows-as-cues": (
        "vtt",
        f"{HEAD}{LATE} line:80%\nHello there\n\n{LATE} line:85%\nGeneral Kenobi\n",
        f"{HEAD}{LATE}\nHello there\nGeneral Kenobi\n",
        {"split_or_merged": 1},
        "CCExtractor#1463",
    ),
    "identifiers-lost": (
        "vtt",
        f"{HEAD}intro\n{LATE}\nHello\n",
        f"{HEAD}{LATE}\nHello\n",
        {"formatting": 0},
        OF_STANDARD,
    ),
    "note-and-region-added": (
        "vtt",
        f"{HEAD}{LATE}\nHello\n",
        f"{HEAD}NOTE a remark\n\nREGION\nid:fred\n\n{LATE}\nHello\n",
        {"formatting": 0},
        OF_STANDARD,
    ),
    "header-lost": ("vtt", VTT, VTT[8:], {"formatting": 0}, OF_STANDARD),
    "mark-in-the-middle": (
        "srt",
        SRT,
        SRT.replace("\n5\n", "\n\ufeff5\n"),
        {"formatting": 0},
        "concatenated files",
    ),
    "nul-in-the-text": (
        "srt",
        SRT,
        SRT.replace("rained", "rai\0ned"),
        {"text": 1},
        "CCExtractor#720",
    ),
    "decomposed": ("srt", SRT, SRT.replace("é", "e\u0301"), {"encoding": 1}, "Unicode NFD"),
    "no-break-spaces": (
        "srt",
        SRT,
        SRT.replace("« Café", "«\u00a0Café"),
        {"whitespace": 1},
        "French typography",
    ),
    "angle-brackets": (
        "srt",
        SRT.replace("[MUSIC]", "<MUSIC>"),
        SRT.replace("[MUSIC]", ""),
        {"text": 3},
        "CEA-608",
    ),
}


def main() -> int:
    """Write all pairs and their entries in the manifest."""
    manifest: dict[str, Any] = json.loads((CORPUS / "manifest.json").read_text("utf-8"))
    for name, (extension, tool, write) in WRITERS.items():
        source = f"{tool} {tool_version(tool)}"
        expected = write(CUES)
        for edit, (cues, kinds) in EDITS.items():
            keep(manifest, f"{name}-{edit}", extension, expected, write(cues), kinds, source)
    for name, (first, second, kinds) in CONVERSIONS.items():
        extension, tool, write = WRITERS[first]
        source = (
            f"{tool} {tool_version(tool)}, {WRITERS[second][1]} {tool_version(WRITERS[second][1])}"
        )
        keep(manifest, name, extension, write(CUES), WRITERS[second][2](CUES), kinds, source)
    for name, (extension, before, after, kinds, source) in WRITTEN.items():
        keep(manifest, name, extension, before.encode(), after.encode(), kinds, source)
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (CORPUS / "manifest.json").write_text(text + "\n", encoding="utf-8")
    return 0


def tool_version(tool: str) -> str:
    """The version of a tool; of ffmpeg, that of the build within imageio-ffmpeg."""
    if tool == "ffmpeg":
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_version()).partition("-")[0]
    return version(tool)


def keep(
    manifest: dict[str, Any],
    name: str,
    extension: str,
    expected: bytes,
    actual: bytes,
    kinds: dict[str, int],
    source: str,
) -> None:
    """Write a pair and its entry."""
    folder = CORPUS / name
    folder.mkdir(exist_ok=True)
    (folder / f"expected.{extension}").write_bytes(expected)
    (folder / f"actual.{extension}").write_bytes(actual)
    told = manifest.get(name, {})
    entry: dict[str, Any] = {
        "kind": next(iter(kinds)) if len(kinds) == 1 else "mixed",
        "kinds": kinds,
    }
    if "timing_shift" in kinds:
        entry["shift_ms"] = next(shift for end, shift in SHIFTS.items() if name.endswith(end))
    manifest[name] = {**told, **entry, "source": source}


if __name__ == "__main__":
    sys.exit(main())
