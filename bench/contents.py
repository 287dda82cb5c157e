"""The files of a benchmark's database: captions, logs and samples, made of numbers."""

import hashlib
import random
from datetime import timedelta
from functools import cache

CUES = 40
LOG_LINES = 2_000
WORDS = ("the", "news", "of", "this", "hour", "are", "read", "by", "someone", "who", "waits", "for")


@cache
def captions(output_id: int, change: int = 0) -> bytes:
    """A caption file of 40 cues: an output's baseline (0), or one of the ways in which it differs.

    Odd changes shift some times by 40 ms, even ones have other words.
    """
    dice = random.Random(output_id)  # noqa: S311  the same file each time
    cues = []
    for number in range(1, CUES + 1):
        words = [dice.choice(WORDS) for _ in range(8)]
        start = 2500 * number + dice.randrange(500)
        if change and number % (change + 2) == 0:
            if change % 2:
                start += 40
            else:
                words[3] = f"other{change}"
        cues.append(f"{number}\n{_at(start)} --> {_at(start + 1800)}\n{' '.join(words)}\n")
    return "\n".join(cues).encode()


@cache
def hash_of(output_id: int, change: int = 0) -> str:
    """The SHA-256 of `captions`."""
    return hashlib.sha256(captions(output_id, change)).hexdigest()


def media(sample_id: int) -> bytes:
    """What stands for a sample's media file: some bytes."""
    return random.Random(sample_id).randbytes(1024)  # noqa: S311  the same file each time


def log(run_id: int, test_ids: list[int]) -> bytes:
    """The log of a run as our runner writes it, 2,000 lines of about 100 bytes."""
    lines = []
    for number in range(LOG_LINES):
        test_id = test_ids[number * len(test_ids) // LOG_LINES]
        level = "warning" if number % 50 == 0 else "info"
        lines.append(
            f"2026-10-01T00:{number // 60 % 60:02}:{number % 60:02}.000Z {level} "
            f"test_runner #{test_id} | 00:00:{number % 60:02},000 --> a line of captions {run_id}\n"
        )
    return "".join(lines).encode()


def _at(milliseconds: int) -> str:
    whole = str(timedelta(milliseconds=milliseconds // 1000 * 1000)).zfill(8)
    return f"{whole},{milliseconds % 1000:03}"
