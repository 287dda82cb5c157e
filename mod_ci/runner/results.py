"""What a test left, and how it is reported."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mod_ci.runner.claim import Output, RegressionTest
from mod_ci.runner.client import Refused
from mod_ci.runner.command import TO_FILES, is_one, output_name
from mod_ci.runner.files import sha256_of
from mod_ci.runner.log_lines import timestamp
from mod_ci.runner.multipart import Multipart
from mod_ci.runner.protocol import Attempt, insist, put_result
from mod_ci.runner.text import cut

TAIL_BYTES = 4096


@dataclass(frozen=True)
class Produced:
    """One output that a test produced."""

    output: Output
    path: Path
    sha256: str


@dataclass(frozen=True)
class Result:
    """How a test ended, in the protocol's words.

    tail: the end of what it printed; stdout_tail, stderr_tail: of each stream alone.
    """

    regression_id: int
    outcome: str
    runtime_ms: int
    started_at: datetime
    exit_code: int | None = None
    signal: str | None = None
    message: str | None = None
    tail: str = ""
    stdout_tail: str | None = None
    stderr_tail: str | None = None
    produced: tuple[Produced, ...] = ()

    def body(self) -> dict[str, Any]:
        """The JSON of the report."""
        return {
            "runtime_ms": self.runtime_ms,
            "exit_code": self.exit_code,
            "outcome": self.outcome,
            "signal": self.signal,
            "message": None if self.message is None else cut(self.message, 1000),
            "started_at": timestamp(self.started_at),
            "tail": self.tail,
            "stdout_tail": self.stdout_tail,
            "stderr_tail": self.stderr_tail,
            "outputs": [
                {"output_id": one.output.output_id, "sha256": one.sha256} for one in self.produced
            ],
        }


def look_up(test: RegressionTest, folder: Path, captured: Path | None) -> tuple[Produced, ...]:
    """The outputs that are there; links and anything that is no regular file are not.

    captured: the file with the standard output, where that is the test's first output.
    """
    found = []
    for index, output in enumerate(test.outputs):
        for path in places(test, index, folder, captured):
            digest = sha256_of(path)
            if digest is not None:
                found.append(Produced(output, path, digest))
                break
    return tuple(found)


def places(test: RegressionTest, index: int, folder: Path, captured: Path | None) -> list[Path]:
    """Where an output may be, best first; never outside of the test's folder."""
    if captured is not None and index == 0:
        return [captured]
    output = test.outputs[index]
    names = [output.filename]
    if test.output_type in TO_FILES and len(test.outputs) == 1:
        names.append(output_name(test))
    # One folder, no separators: then the name cannot lead anywhere.
    return [folder / name for name in names if name not in ("", ".", "..") and is_one(name)]


def report(attempt: Attempt, result: Result) -> None:
    """Report a result, until the server has it.

    The bytes of an output go along when its hash is not the expected one, or when the
    server asks for them. Raises Stopped, NoAnswer, Refused.
    """
    wanted = {
        one.output.output_id
        for one in result.produced
        if one.sha256 != (one.output.expected_hash or "").lower()
    }
    try:
        put(attempt, result, wanted)
    except Refused as refusal:
        more = refusal.details.get("output_ids")
        if (refusal.status, refusal.code) != (422, "upload_required") or not isinstance(more, list):
            raise
        put(attempt, result, wanted | set(more))


def put(attempt: Attempt, result: Result, wanted: Iterable[int]) -> None:
    """Send one result with the bytes of the wanted outputs, until there is an answer."""
    files = [
        (f"output-{one.output.output_id}", one.path)
        for one in result.produced
        if one.output.output_id in wanted
    ]
    if not files:
        told = result.body()
        insist(attempt.lease, lambda: put_result(attempt, result.regression_id, told))
        return
    with Multipart("result", result.body(), files) as body:
        insist(attempt.lease, lambda: put_result(attempt, result.regression_id, body))
