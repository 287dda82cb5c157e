"""What the demo's repository holds at each of its commits."""

from dataclasses import dataclass
from pathlib import Path

Tree = dict[str, str]

EXECUTABLE = frozenset({"build.sh"})

README = """\
# A caption extractor for a demonstration

Reads line 21, teletext and text captions with ffmpeg and writes SubRip, WebVTT or timed
transcripts. Its command line is CCExtractor's.

    ./build.sh
    build/ccextractor -out=srt -o news.srt news.mkv

It needs Python 3.11 or newer, and ffmpeg: in $FFMPEG, in the package imageio-ffmpeg, or on the
path.
"""

BUILD = """\
#!/bin/sh
# Builds build/ccextractor, one executable file. PYTHON names another interpreter.
set -eu
cd "$(dirname "$0")"
mkdir -p build
PYTHONPYCACHEPREFIX=build/compiled "${PYTHON:-python3}" -m compileall -q src
"${PYTHON:-python3}" -m zipapp --python '/usr/bin/env python3' --output build/ccextractor src
"""

MAIN = """\
import sys

from ccextractor.main import main

sys.exit(main(sys.argv[1:]))
"""

EXIT_CODES = """\
# Exit codes

| code | meaning |
| --- | --- |
| 0 | captions were written, or the report |
| 2 | no input file was named, or it is not there |
| 3 | more than one input file |
| 4 | options that exclude each other |
| 5 | the output cannot be written |
| 7 | a parameter that cannot be understood |
| 8 | the input cannot be read |
| 10 | no captions in the input |
| 11 | help was asked for |
"""


@dataclass(frozen=True)
class Edit:
    """In the file `path`, `old`, which stands there once, becomes `new`."""

    path: str
    old: str
    new: str


# The regressed commit: a tidying that went wrong in as many ways as a run can show.
REGRESSIONS = (
    # The delay is applied to what was already delayed: timing.
    Edit(
        "src/ccextractor/captions.py",
        "        for caption in within(moved, options.start_at, options.end_at)\n",
        "        for caption in delayed(\n"
        "            list(within(moved, options.start_at, options.end_at)), options.delay\n"
        "        )\n",
    ),
    # Punctuation and music notes are no word characters: text.
    Edit(
        "src/ccextractor/captions.py",
        r'    text = re.sub(r"^\s*((?:<[^>]*>)*)\s*", r"\1", text)' + "\n",
        r'    text = re.sub(r"^\s*((?:<[^>]*>)*)[^\w<>]*", r"\1", text)' + "\n",
    ),
    # Decomposed accents do not exist in Latin-1: encoding.
    Edit(
        "src/ccextractor/writing.py",
        '        text = text.replace("♪", "¶")\n',
        '        text = unicodedata.normalize("NFD", text.replace("♪", "¶"))\n',
    ),
    Edit("src/ccextractor/writing.py", "import re\n", "import re\nimport unicodedata\n"),
    # Other line endings, which are an accepted variant of transcripts.
    Edit(
        "src/ccextractor/writing.py",
        "        return encoded(transcript(captions, track), options)\n",
        "        return transcript(captions, track).encode(options.encoding)\n",
    ),
    # Another shade in the style sheet, which is not compared.
    Edit("src/ccextractor/writing.py", "rgba(0, 0, 0, 0.8)", "rgba(0, 0, 0, 0.75)"),
    # Finding nothing is no failure any more: exit code.
    Edit(
        "src/ccextractor/main.py",
        '        raise ExtractionError(Exit.NO_CAPTIONS, "No captions were found in input.")\n',
        '        say(options, "No captions were found in input.")\n',
    ),
    # Two tracks of the same codec are one entry of the table: missing output.
    Edit(
        "src/ccextractor/main.py",
        "    for track, captions in read:\n",
        "    for track, captions in {pair[0].codec: pair for pair in read}.values():\n",
    ),
)

# Trims the same lines in another way: cannot be merged after the regression.
CONFLICT = (
    Edit(
        "src/ccextractor/captions.py",
        r'    text = re.sub(r"^\s*((?:<[^>]*>)*)\s*", r"\1", text)' + "\n",
        r'    text = re.sub(r"^[ \t]*((?:<[^>]*>)*)[ \t]*", r"\1", text)' + "\n",
    ),
)


def first() -> Tree:
    """The first commit: how it is built and used, before there is a program."""
    return {"README.md": README, "build.sh": BUILD}


def good() -> Tree:
    """The first commit with the program, which is the package `extractor` beside this file."""
    package = Path(__file__).with_name("extractor")
    sources = {
        f"src/ccextractor/{path.name}": path.read_text("utf-8") for path in package.glob("*.py")
    }
    return first() | {"src/__main__.py": MAIN} | sources


def regressed() -> Tree:
    """The good commit with the regressions."""
    return edited(good(), REGRESSIONS)


def conflicting() -> Tree:
    """The good commit with a change that conflicts with the regressed one."""
    return edited(good(), CONFLICT)


def merging() -> Tree:
    """The good commit with documentation, which merges with anything."""
    return good() | {"docs/exit-codes.md": EXIT_CODES}


def edited(tree: Tree, edits: tuple[Edit, ...]) -> Tree:
    """The tree after the edits. Raises ValueError for one that does not fit exactly once."""
    changed = dict(tree)
    for edit in edits:
        if changed[edit.path].count(edit.old) != 1:
            raise ValueError(f"{edit.path} does not have exactly one {edit.old!r}")
        changed[edit.path] = changed[edit.path].replace(edit.old, edit.new)
    return changed
