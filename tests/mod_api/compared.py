"""Runs with outputs whose files are really stored, and where to ask for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import factories
from tests.factories import MATCH, Expected, OutputRow, RunRow, TestRow

CUE = "1\n00:00:01,000 --> 00:00:02,000\n{}\n\n2\n00:00:03,000 --> 00:00:04,000\nThe end\n"
GOOD = CUE.format("Hello, world").encode()
BAD = CUE.format("Hello, wurld").encode()
WORSE = CUE.format("Hullo, wurld").encode()


@dataclass(frozen=True)
class Compared:
    """A run of one test with one output, `actual` the hash of what came out."""

    run: RunRow
    test: TestRow
    output: OutputRow
    expected: str
    actual: str | None

    @property
    def base(self) -> str:
        return f"/api/v1/runs/{self.run.id}/samples/{self.test.sample.id}"

    @property
    def asked(self) -> dict[str, int]:
        return {"regression_id": self.test.id, "output_id": self.output.id}

    def url(self, part: str, **more: Any) -> str:
        query = "&".join(f"{name}={value}" for name, value in (self.asked | more).items())
        return f"{self.base}/{part}?{query}"


def compared(
    folder: Path,
    expected: bytes | None = GOOD,
    actual: bytes | None = BAD,
    *,
    extension: str = ".srt",
    progress: tuple[str, ...] = ("preparation", "testing", "completed"),
    **wanted: Any,
) -> Compared:
    """A run whose output is `actual` (None: as expected) where `expected` was to come out."""
    hashes = [
        None if content is None else factories.stored_output(folder, content, extension)
        for content in (expected, actual)
    ]
    made = Expected(correct=hashes[0], extension=extension, **wanted)
    test = factories.regression_test(outputs=[made])
    return another_run(test, hashes[1], progress=progress)


def another_run(
    test: TestRow,
    actual: str | None,
    *,
    progress: tuple[str, ...] = ("preparation", "testing", "completed"),
) -> Compared:
    """One more run of a test, with what came out of it."""
    run = factories.run(progress=progress, tests=[test])
    factories.result(run, test, outputs={test.output: actual or MATCH})
    return Compared(run, test, test.output, test.output.correct or "", actual)
