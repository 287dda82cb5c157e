"""Classify random pairs of caption files, or compare what classifying costs with another revision.

Without `--against` it looks for exceptions, false claims and slow pairs. That check is independent
of the one in the product: it looks at the public answer and at the bytes. With `--against FOLDER`
it prints CPU and memory beside the revision that is checked out there.
"""

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
WORDS = [
    *["the", "harbour", "says", "it", "is", "raining", "again", "nobody", "minds"],
    *["café", "Où", "♪", "boat", "<APPLAUSE>", "1999", "9:30"],
]
REPEATED = ["[MUSIC]", "Yes.", "No.", "What?"]
SLOW_S = 1.0
CODECS = {
    "utf-8": "utf-8",
    "utf-8-bom": "utf-8-sig",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "latin-1": "cp1252",
}

Chance = random.Random


class Said(NamedTuple):
    """A cue to be written: milliseconds, and text with lines separated by newlines."""

    start: int
    end: int
    text: str


def clock(time_ms: int, separator: str) -> str:
    """A time as `HH:MM:SS,mmm`, with a sign where it is negative."""
    sign, time_ms = ("-", -time_ms) if time_ms < 0 else ("", time_ms)
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes = seconds // 60
    return (
        f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds % 60:02}{separator}{milliseconds:03}"
    )


def subrip(cues: list[Said]) -> str:
    """The cues as SubRip."""
    return "".join(
        f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{cue.text}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def webvtt(cues: list[Said]) -> str:
    """The cues as WebVTT."""
    return "WEBVTT\n\n" + "".join(
        f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{cue.text}\n\n" for cue in cues
    )


def transcript(cues: list[Said]) -> str:
    """The cues as a timed transcript."""
    return "".join(
        f"{clock(cue.start, ',')}|{clock(cue.end, ',')}|POP|{row}\n"
        for cue in cues
        for row in cue.text.split("\n")
    )


WRITERS: dict[str, Callable[[list[Said]], str]] = {"srt": subrip, "vtt": webvtt, "ttxt": transcript}


def captions(chance: Chance) -> list[Said]:
    """Random cues: some texts are repeated, some cues share their times or overlap."""
    cues: list[Said] = []
    now = chance.choice([0, 1000, 3_600_000])
    for _ in range(chance.choice([0, 1, 2, 5, 8, 13, 30])):
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 6)))
        if chance.random() < 0.3:
            text = chance.choice(REPEATED)
        if chance.random() < 0.2:
            text = text.replace(" ", "\n", 1)
        lasting = chance.choice([0, 500, 1500, 4000])
        cues.append(Said(now, now + lasting, text))
        now += chance.choice([0, lasting, lasting + 40, 3000])
    return cues


def edited(cues: list[Said], chance: Chance) -> list[Said]:
    """The cues with one random edit."""
    if not cues:
        return [Said(0, 1000, "out of nowhere")]
    at = chance.randrange(len(cues))
    return chance.choice(EDITS)(cues, at, chance)


def _shifted(cues: list[Said], at: int, chance: Chance) -> list[Said]:
    shift = chance.choice([-2000, -1, 1, 400, 60_000])
    return [Said(cue.start + shift, cue.end + shift, cue.text) for cue in cues]


def _drifting(cues: list[Said], at: int, chance: Chance) -> list[Said]:
    rate = chance.choice([0.999, 1.001, 25 / 24, 1.04])
    return [Said(round(cue.start * rate), round(cue.end * rate), cue.text) for cue in cues]


def _merged(cues: list[Said], at: int, chance: Chance) -> list[Said]:
    both = cues[at : at + 2]
    merged = Said(both[0].start, both[-1].end, "\n".join(cue.text for cue in both))
    return [*cues[:at], merged, *cues[at + 2 :]]


def _reworded(cues: list[Said], at: int, chance: Chance) -> list[Said]:
    text = cues[at].text
    text = chance.choice(
        [f"{text} zebra", f"<i>{text}</i>", text.replace(" ", "  "), f"\u200f{text}", text.upper()]
    )
    return [*cues[:at], cues[at]._replace(text=text), *cues[at + 1 :]]


EDITS: list[Callable[[list[Said], int, Chance], list[Said]]] = [
    lambda cues, at, chance: cues[:at] + cues[at + 1 :],
    lambda cues, at, chance: [*cues[:at], chance.choice(cues), *cues[at:]],
    lambda cues, at, chance: chance.sample(cues, len(cues)),
    lambda cues, at, chance: [
        *cues[:at],
        *(cue._replace(end=cue.end + 40) for cue in cues[at:]),
    ],
    lambda cues, at, chance: [cue._replace(text=cue.text.upper()) for cue in cues],
    lambda cues, at, chance: [
        cue._replace(text=row) for cue in cues for row in cue.text.split("\n")
    ],
    _shifted,
    _drifting,
    _merged,
    _reworded,
    _reworded,
]


def damaged(content: bytes, chance: Chance) -> bytes:
    """The content with a few bytes replaced, lost or added."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(content) + 1)
        instead = bytes(chance.choices(range(256), k=chance.choice([0, 1, 2, 9])))
        content = content[:at] + instead + content[at + chance.choice([0, 1, 3, 20]) :]
    return content


def pair(chance: Chance) -> tuple[bytes, bytes, str]:
    """Two files and the extension of both."""
    cues = captions(chance)
    other = cues
    for _ in range(chance.choice([0, 1, 1, 1, 2, 3])):
        other = edited(other, chance)
    extension = chance.choice(sorted(WRITERS))
    written = chance.choice(sorted(WRITERS)) if chance.random() < 0.05 else extension
    expected, actual = WRITERS[extension](cues), WRITERS[written](other)
    endings = chance.choice(["\n"] * 8 + ["\r\n", "\r", "\r\r\n"])
    codec = chance.choice(["utf-8"] * 8 + ["cp1252", "utf-16", "utf-8-sig"])
    content = actual.replace("\n", endings).encode(codec, "replace")
    if chance.random() < 0.2:
        content = damaged(content, chance)
    contents = [expected.encode(), content]
    chance.shuffle(contents)
    return contents[0], contents[1], extension


TAGS = re.compile(r"</?(?:b|i|u|s|font|br)\b[^<>]*>|</?[A-Za-z0-9.:][^<>]*>")


def bare(text: str) -> str:
    """A text without tags and white space."""
    return re.sub(r"\s+", "", TAGS.sub("", text))


def decoded(content: bytes, message: str, place: int) -> str | None:
    """The text of a file in the encoding that a sentence names for it."""
    found = re.search(r"encoding: (\S+) became (\S+?)\.$", message)
    if found is None:
        return None
    text = content.decode(CODECS[found[place + 1]], "replace").lstrip("\ufeff")
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")


def refuted(expected: bytes, actual: bytes, found: Any) -> list[str]:
    """The statements of an answer that the two files do not bear out."""
    kinds = {kind.value: count for kind, count in found.kinds.items()}
    wrong = refuted_of_files(expected, actual, found.message)
    if (found.kind.value == "identical") != (expected == actual):
        wrong.append("identical")
    if kinds == {"whitespace": 0}:
        texts = ["".join(each.decode("utf-8", "replace").split()) for each in (expected, actual)]
        if texts[0] != texts[1] and b"\0" not in expected + actual:
            wrong.append("only white space outside")
    sides = [side for one in found.changed for side in (one.expected, one.actual) if side]
    is_one_by_one = found.kind.value != "mixed" and all(side.cues == 1 for side in sides)
    if found.cues_expected is not None and is_one_by_one and not found.truncated:
        there = found.cues_expected - kinds.get("missing_cues", 0)
        if there != found.cues_actual - kinds.get("extra_cues", 0):
            wrong.append("counts of cues")
    for one in found.changed:
        wrong += refuted_of_cue(one, found)
    return wrong


def refuted_of_files(expected: bytes, actual: bytes, message: str) -> list[str]:
    """The statements about whole files in a sentence that their bytes do not bear out."""
    wrong = []
    if message.startswith("Only the line endings"):
        plain = [content.replace(b"\r", b"\n") for content in (expected, actual)]
        if re.sub(rb"\n+", b"\n", plain[0]) != re.sub(rb"\n+", b"\n", plain[1]):
            wrong.append("only line endings")
    if message.startswith("The same captions in another encoding"):
        texts = [decoded(content, message, at) for at, content in enumerate((expected, actual))]
        if texts[0] != texts[1]:
            wrong.append("same in another encoding")
    return wrong


def refuted_of_cue(one: Any, found: Any) -> list[str]:
    """The statements about one changed cue that its texts and times do not bear out."""
    kind, old, new = one.kind.value, one.expected, one.actual
    wrong = []
    if kind == "missing_cues" and (new is not None or _is_there(old, found, "actual")):
        wrong.append("missing")
    if kind == "extra_cues" and (old is not None or _is_there(new, found, "expected")):
        wrong.append("extra")
    if old is None or new is None:
        return wrong
    moved = (new.start_ms - old.start_ms, new.end_ms - old.end_ms)
    squeezed = ["".join(side.text.split()) for side in (old, new)]
    same_times = moved == (0, 0)
    checks = {
        "text": same_times
        and bool(one.words)
        and (old.text != new.text or "format differs" in found.message),
        "whitespace": same_times and old.text != new.text and bare(old.text) == bare(new.text),
        "formatting": bare(old.text) == bare(new.text) or "&" in "".join(squeezed),
        "split_or_merged": bare(old.text) == bare(new.text) or max(map(len, squeezed)) > 900,
        "timing": not same_times and old.text == new.text,
        "timing_shift": all(abs(move - (found.shift_ms or 0)) <= 1 for move in moved),
        "timing_drift": found.rate is not None and moved != (0, 0),
    }
    if not checks.get(kind, True):
        wrong.append(kind)
    return wrong


def _is_there(cue: Any, found: Any, side: str) -> bool:
    """Return whether a cue of the same text and time stands alone in the other file."""
    others = [
        getattr(one, side) for one in found.changed if one.expected is None or one.actual is None
    ]
    return any(
        other is not None and (other.start_ms, other.text) == (cue.start_ms, cue.text)
        for other in others
    )


def check(pairs: int, seed: int) -> int:
    """Classify random pairs; print each that fails, and how many of each kind there were."""
    from mod_api.services.captions import classify

    told: Counter[str] = Counter()
    slowest = 0.0
    failures = 0
    for number in range(pairs):
        expected, actual, extension = pair(random.Random(seed * 1_000_003 + number))  # noqa: S311 - nothing secret
        began = time.thread_time()
        try:
            found = classify(expected, actual, extension)
            wrong = ["no answer"] if found is None else refuted(expected, actual, found)
        except Exception as error:  # noqa: BLE001 - each is a finding
            found, wrong = None, [f"{type(error).__name__}: {error}"]
        took = time.thread_time() - began
        slowest = max(slowest, took)
        if took > SLOW_S:
            wrong.append(f"{took:.1f} s")
        told[found.kind.value if found else "none"] += 1
        if wrong:
            failures += 1
            print(number, wrong, found and found.message, flush=True)
    print(json.dumps({"pairs": pairs, "failures": failures, "slowest_s": round(slowest, 3)}))
    print(json.dumps(dict(told.most_common())))
    return 1 if failures else 0


# Side by side with another revision.

CORPUS = ROOT / "tests/mod_api/services/captions/corpus"
MIB = 1024 * 1024
_ROUNDS = 3
# Classifies one pair of files in a process of its own: prints seconds of CPU and KiB at the most.
_ONE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from mod_api.services.captions import classify
names = ("expected", "actual")
pairs = [[Path(folder, name).read_bytes() for name in names] for folder in sys.argv[3:]]
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
before = peak()
for expected, actual in pairs:
    best = 9e9
    for _ in range(int(sys.argv[2])):
        began = time.process_time()
        try:
            classify(expected, actual, "srt")
        except ValueError:  # of an earlier revision, on a hostile pair
            pass
        best = min(best, time.process_time() - began)
    print(best, peak() - before)
"""


def large_pairs() -> dict[str, tuple[bytes, bytes]]:
    """Inputs that were slow once."""
    chance = random.Random(7)  # noqa: S311 - nothing secret
    said = [Said(n * 2000, n * 2000 + 1500, f"line {n} of many words") for n in range(50_000)]
    changed = [cue._replace(text=cue.text + "!") if chance.random() < 0.1 else cue for cue in said]
    scattered = [
        [
            Said(start, start + chance.randrange(5000), chance.choice("abc"))
            for start in (n * 2000 + chance.randrange(5000) for n in range(50_000))
        ]
        for _ in range(2)
    ]
    seconds = range(8 * MIB // len("000:00:00|\n"))
    rows = "".join(f"{n // 3600:03}:{n // 60 % 60:02}:{n % 60:02}|\n" for n in seconds).encode()
    words = b"1\n00:00:01,000 --> 00:00:02,000\n" + b"word " * (8 * MIB // 5 - 10)
    return {
        "2 x 8 MiB of rows": (rows, rows[:-12] + b"\n"),
        "2 x 8 MiB in one cue": (words, words + b"x"),
        "50,000 cues, 5,000 changed": (subrip(said).encode(), subrip(changed).encode()),
        "50,000 cues, all changed": (
            subrip(said).encode(),
            subrip([cue._replace(text=cue.text + "!", end=cue.end + 7) for cue in said]).encode(),
        ),
        "50,000 cues at random": (subrip(scattered[0]).encode(), subrip(scattered[1]).encode()),
    }


def measured(root: Path, rounds: int, folders: list[Path]) -> list[tuple[float, float]]:
    """Seconds of CPU and MiB of memory for each pair, in the code of one folder."""
    command = [sys.executable, "-c", _ONE, str(root), str(rounds), *map(str, folders)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root).stdout
    return [(float(cpu), int(kib) / 1024) for cpu, kib in map(str.split, out.splitlines())]


def against(other: Path) -> int:
    """Print CPU and memory as parts of the other revision's, by turns."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, contents in large_pairs().items():
            folder = _written(Path(scratch) / name, contents)
            here, there = (
                [measured(root, 1, [folder])[0] for _ in range(_ROUNDS)] for root in (ROOT, other)
            )
            cpu, memory = (
                min(one[at] for one in here) / max(min(one[at] for one in there), 1e-9)
                for at in (0, 1)
            )
            print(f"{name}: {cpu:.2f} of the CPU, {memory:.2f} of the memory")
        folders = []
        for case in sorted(path for path in CORPUS.iterdir() if path.is_dir()):
            (expected,) = case.glob("expected.*")
            contents = expected.read_bytes(), expected.with_stem("actual").read_bytes()
            folders.append(_written(Path(scratch) / case.name, contents))
        here, there = (measured(root, 20, folders) for root in (ROOT, other))
        ratios = [one[0] / two[0] for one, two in zip(here, there, strict=True)]
        print(f"the corpus: {statistics.median(ratios):.2f} of the CPU in the median")
    return 0


def _written(folder: Path, contents: tuple[bytes, bytes]) -> Path:
    folder.mkdir()
    for name, content in zip(("expected", "actual"), contents, strict=True):
        (folder / name).write_bytes(content)
    return folder


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("--pairs", type=int, default=100_000, help="how many random pairs")
    parser.add_argument("--seed", type=int, default=1, help="which random pairs")
    parser.add_argument("--against", type=Path, help="a folder with another revision")


def main(asked: argparse.Namespace) -> int:
    """Check random pairs, or measure beside another revision."""
    return against(asked.against) if asked.against else check(asked.pairs, asked.seed)
