"""What a failure is, as one short text: the same for the same kind of failure of the same output.

It differs when what came out differs, so that a list of a test's failures shows at a glance which
of them are one and the same.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence

from mod_test.result_rows import OutputRow, ResultRow
from mod_test.verdict import OutputStatus, ResultStatus

MOST_CHARACTERS = 255
SHOWN_OF_A_HASH = 16
HASH = re.compile("[0-9a-f]{64}")


def failure_signature(result: ResultRow, outputs: Sequence[OutputRow]) -> str | None:
    """The signature of a result that failed, at most 255 characters; None of any other.

    Its parts, joined by `;`: `12:exit:1` (regression test and exit code), `12:killed:SIGSEGV`,
    `12:missing:9` (and output), `12:missing` (all), `12:diff:9:4f2e...` (and what came out).
    """
    if not result.status.is_failure:
        return None
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
            yield f"diff:{output.output_id}:{_short(output.actual_hash or '')}"


def _short(seen: str) -> str:
    """The beginning of a hash. A stored text that is none may be long and begin like another."""
    known = seen if HASH.fullmatch(seen) else hashlib.sha256(seen.encode()).hexdigest()
    return known[:SHOWN_OF_A_HASH]
