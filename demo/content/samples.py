"""The demo's media: captions in the containers that they come in, made by ffmpeg.

The same ffmpeg makes the same bytes every time and on every processor: one thread, no vector
instructions (which round differently from one to the next), no encoder's names, no dates.
"""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import scc, teletext, texts
from .cues import Cue, subrip
from .extractor.reading import program
from .media_info import describe
from .model import DemoSample

PICTURE = ("-c:v", "mpeg4", "-qscale:v", "31", "-g", "250")
SOUND = ("-c:a", "aac", "-b:a", "16k")
SAME_BYTES = (
    *("-threads", "1", "-map_metadata", "-1", "-fflags", "+bitexact"),
    *("-flags:v", "+bitexact", "-flags:a", "+bitexact", "-flags:s", "+bitexact"),
)


@dataclass(frozen=True)
class Recipe:
    """How a sample is made: its caption files by name, and ffmpeg's arguments around them.

    Without arguments the only caption file is the sample. `picture` and `sound` are the seconds
    of generated video and audio that come first.
    """

    name: str
    tags: tuple[str, ...]
    notes: str
    captions: tuple[tuple[str, bytes], ...]
    arguments: tuple[str, ...] = ()
    picture: int = 0
    sound: int = 0


def _subrip(name: str, cues: tuple[Cue, ...]) -> tuple[str, bytes]:
    return f"{name}.srt", subrip(cues)


RECIPES = (
    Recipe(
        "harbour-radio.scc",
        ("cea-608", "roll-up", "english"),
        "Line 21 as Scenarist writes it: roll-up captions in capitals, two rows.",
        (("captions.scc", scc.roll_up(texts.HARBOUR_RADIO)),),
    ),
    Recipe(
        "portrait.scc",
        ("cea-608", "pop-on", "spanish", "accents"),
        "Pop-on captions in the middle of the screen, with italics, accents and music notes.",
        (("captions.scc", scc.pop_on(texts.PORTRAIT)),),
    ),
    Recipe(
        "bakery.mov",
        ("cea-608", "pop-on", "quicktime", "french", "accents"),
        "Line 21 in a QuickTime caption track (c608) beside video.",
        (("captions.scc", scc.pop_on(texts.BAKERY)),),
        ("-c:s", "copy"),
        picture=12,
    ),
    Recipe(
        "harbour.mp4",
        ("mov_text", "mp4", "german", "accents"),
        "MPEG-4 timed text beside video and audio.",
        (_subrip("german", texts.HARBOUR),),
        ("-c:s", "mov_text", "-metadata:s:s:0", "language=deu", "-movflags", "+faststart"),
        picture=10,
        sound=10,
    ),
    Recipe(
        "market.mkv",
        ("subrip", "matroska", "english", "spanish", "two-tracks"),
        "Two SubRip tracks, English and Spanish, with a font color.",
        (_subrip("english", texts.MARKET_ENGLISH), _subrip("spanish", texts.MARKET_SPANISH)),
        (
            *("-c:s", "subrip", "-metadata:s:s:0", "language=eng"),
            *("-metadata:s:s:1", "language=spa"),
        ),
        picture=9,
    ),
    Recipe(
        "lecture.mkv",
        ("webvtt", "matroska", "many-scripts"),
        "WebVTT in Matroska: Latin, Greek, Cyrillic and Japanese.",
        (_subrip("lecture", texts.LECTURE),),
        ("-c:s", "webvtt"),
    ),
    Recipe(
        "song.mkv",
        ("ass", "matroska", "english", "music"),
        "Advanced SubStation Alpha beside audio: a song in capitals.",
        (_subrip("song", texts.SONG),),
        ("-c:s", "ass"),
        sound=9,
    ),
    Recipe(
        "evening-news.ts",
        ("teletext", "mpeg-ts", "german", "accents"),
        "DVB teletext, page 777, in a transport stream without pictures.",
        (("captions.ts", teletext.stream(texts.EVENING_NEWS)),),
    ),
    Recipe(
        "polyglot.srt",
        ("subrip", "many-scripts", "long"),
        "A SubRip file as it is, with a caption after an hour.",
        (_subrip("polyglot", texts.POLYGLOT),),
    ),
    Recipe(
        "silent-film.mp4",
        ("mp4", "no-captions"),
        "Video and audio without any captions.",
        (),
        ("-movflags", "+faststart"),
        picture=4,
        sound=4,
    ),
)


def make(folder: Path) -> tuple[DemoSample, ...]:
    """Make every sample in the folder and say what is in it.

    Raises subprocess.CalledProcessError, with ffmpeg's words in `stderr`, when ffmpeg cannot.
    """
    return tuple(_sample(recipe, folder) for recipe in RECIPES)


def _sample(recipe: Recipe, folder: Path) -> DemoSample:
    path = folder / recipe.name
    if recipe.arguments:
        _mux(recipe, path)
    else:
        path.write_bytes(recipe.captions[0][1])
    return DemoSample(
        name=recipe.name,
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        extension=path.suffix.removeprefix("."),
        tags=recipe.tags,
        media_info=describe(path),
        notes=recipe.notes,
    )


def _mux(recipe: Recipe, path: Path) -> None:
    """Let ffmpeg put captions, generated video and generated audio into one container."""
    inputs: list[str] = []
    if recipe.picture:
        test_picture = f"testsrc2=size=96x72:rate=5:duration={recipe.picture}"
        inputs += ["-f", "lavfi", "-i", test_picture]
    if recipe.sound:
        tone = f"sine=frequency=330:sample_rate=8000:duration={recipe.sound}"
        inputs += ["-f", "lavfi", "-i", tone]
    written = []
    for name, content in recipe.captions:
        written.append(path.with_name(f"{path.stem}-{name}"))
        written[-1].write_bytes(content)
        inputs += ["-i", str(written[-1])]
    maps = [word for number in range(inputs.count("-i")) for word in ("-map", str(number))]
    command = [program(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y"]
    command += ["-cpuflags", "0", "-copyts"]
    command += [*inputs, *maps, *PICTURE, *SOUND, *SAME_BYTES, *recipe.arguments, str(path)]
    # Every argument is written above.
    subprocess.run(command, check=True, capture_output=True)
    for file in written:
        file.unlink()
