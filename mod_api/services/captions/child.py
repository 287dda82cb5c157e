"""Compares large files in a process of its own, with limits.

A comparison of large files would hold the interpreter's lock for long moments, in which no other
request is answered, and a thread cannot be stopped; a process can.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mod_api.services.captions.classification import classify, list_cues
from mod_api.services.captions.model import CaptionComparison

# Of both files together; more than this is compared in a process of its own.
MAX_BYTES_IN_PROCESS = 256_000
_TIME_LIMIT_S = 10.0
_CPU_SECONDS = 5
_MEMORY_BYTES = 1024 * 1024 * 1024
_AT_ONCE = threading.BoundedSemaphore(2)
_ROOT = Path(__file__).parents[3]
_START = f"import sys; sys.path.append(sys.argv[1]); from {__name__} import main; main()"


class NotCompared(Exception):
    """The process that compares did not end within its limits, or failed; says what it printed."""


def compare(expected: bytes, actual: bytes, extension: str) -> dict[str, Any] | None:
    """Classify two files of any size, as `classify` does, and answer in values of JSON.

    Raises NotCompared.
    """
    if len(expected) + len(actual) <= MAX_BYTES_IN_PROCESS:
        return _values(classify(expected, actual, extension))
    found: dict[str, Any] | None = _in_child(expected, actual, {"extension": extension})
    return found


def page_of_cues(
    expected: bytes, actual: bytes, extension: str, *, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    """Some of all cues, as `list_cues` lists them, in values of JSON, and how many there are.

    Raises NotCompared.
    """
    if len(expected) + len(actual) <= MAX_BYTES_IN_PROCESS:
        return _page(expected, actual, extension, limit, offset)
    asked = {"extension": extension, "limit": limit, "offset": offset}
    rows, total = _in_child(expected, actual, asked)
    return rows, total


def _values(found: CaptionComparison | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _page(
    expected: bytes, actual: bytes, extension: str, limit: int, offset: int
) -> tuple[list[dict[str, Any]], int]:
    pairs = list_cues(expected, actual, extension) or []
    return [asdict(pair) for pair in pairs[offset : offset + limit]], len(pairs)


def _in_child(expected: bytes, actual: bytes, asked: dict[str, Any]) -> Any:
    if not _AT_ONCE.acquire(timeout=_TIME_LIMIT_S):
        raise NotCompared("too many comparisons at once")
    head = json.dumps({**asked, "sizes": [len(expected), len(actual)]}).encode()
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this file
            [sys.executable, "-I", "-c", _START, str(_ROOT)],
            input=head + b"\n" + expected + actual,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
            # The child needs none of the server's secrets.
            env={"PATH": os.environ.get("PATH", "")},
        )
    except subprocess.TimeoutExpired as error:
        raise NotCompared(f"not within {_TIME_LIMIT_S} s") from error
    finally:
        _AT_ONCE.release()
    if done.returncode != 0:
        raise NotCompared(done.stderr.decode("utf-8", "replace")[-1000:].strip() or "killed")
    return json.loads(done.stdout)


def main() -> None:
    """Compare the two files that standard input has, behind a line that says what is asked."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    # Nothing here makes cycles that are worth looking for.
    gc.disable()
    asked = json.loads(sys.stdin.buffer.readline())
    expected, actual = (sys.stdin.buffer.read(size) for size in asked.pop("sizes"))
    if "limit" in asked:
        found: Any = _page(expected, actual, **asked)
    else:
        found = _values(classify(expected, actual, **asked))
    json.dump(found, sys.stdout)
