"""A failure as two short texts: its kind and outputs, and what came out.

The first is the same on every commit, also where an output names the commit. The second shows at a
glance which failures of a test are one and the same.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mod_test.result_rows import OutputRow, ResultRow
from mod_test.verdict import OutputStatus, ResultStatus

MOST_CHARACTERS = 255
SHOWN_OF_A_HASH = 16
HASH = re.compile("[0-9a-f]{64}")


class Failure(NamedTuple):
    """What is known of a failure: its `signature`, and a short hash of the `content` that came out;
    both None of a result that did not fail, the content also where no output differs."""

    signature: str | None = None
    content: str | None = None


def failure_of(result: ResultRow, outputs: Sequence[OutputRow]) -> Failure:
    """How a result failed."""
    if not result.status.is_failure:
        return Failure()
    return Failure(_signature(result, outputs), _content(outputs))


def _signature(result: ResultRow, outputs: Sequence[OutputRow]) -> str:
    """At most 255 characters. Its parts, joined by `;`: `12:exit:1` (test and exit code),
    `12:killed:SIGSEGV`, `12:missing:9` (and output), `12:missing` (all), `12:diff:9` (and output).
    """
    text = ";".join(f"{result.regression_id}:{part}" for part in _parts(result, outputs))
    if len(text) <= MOST_CHARACTERS:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[: MOST_CHARACTERS - len(digest) - 1]};{digest}"


def _parts(result: ResultRow, outputs: Sequence[OutputRow]) -> Iterator[str]:
    if result.wrong_exit:
        if result.outcome is not None and result.outcome.was_killed:
            yield f"killed:{result.signal or result.outcome.value}"
        elif result.was_killed:
            yield f"killed:0x{(result.exit_code or 0) & 0xFFFFFFFF:08X}"
        else:
            yield f"exit:{result.exit_code}"
    compared = [output for output in outputs if not output.ignored]
    missing = [output for output in compared if output.status is OutputStatus.missing_output]
    if result.status is ResultStatus.missing_output and not missing:
        yield "missing"
    for output in missing:
        yield f"missing:{output.output_id}"
    for output in compared:
        if output.status is OutputStatus.diff_mismatch:
            yield f"diff:{output.output_id}"


def _content(outputs: Sequence[OutputRow]) -> str | None:
    """The beginning of a hash: of the only content that differs, else of all that do."""
    seen = [
        (output.output_id, output.actual_hash or "")
        for output in outputs
        if not output.ignored and output.status is OutputStatus.diff_mismatch
    ]
    if not seen:
        return None
    if len(seen) == 1:
        known = seen[0][1]
        # A stored text that is no hash may be long, and begin like another.
        if HASH.fullmatch(known):
            return known[:SHOWN_OF_A_HASH]
    text = ";".join(f"{output_id}:{known}" for output_id, known in seen)
    return hashlib.sha256(text.encode()).hexdigest()[:SHOWN_OF_A_HASH]
