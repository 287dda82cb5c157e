"""Which files a run should have left, as rows: filtered and paged before any storage is asked."""

import enum
import functools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Select, and_, bindparam, select

from database import fetch, in_this_order
from mod_regression.definitions import DefinedOutput, Definition
from mod_regression.models import RegressionTest
from mod_test import catalogue, verdict
from mod_test.models import Result, ResultFile
from mod_test.run_results import Hashes
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept
from mod_test.verdict import OutputStatus, RunStatus


class ArtifactType(enum.StrEnum):
    """The types of the contract."""

    build_log = "build_log"
    sample_output = "sample_output"
    expected_output = "expected_output"
    diff = "diff"
    media_info = "media_info"
    binary = "binary"


# The files of an output, in their order.
KINDS = (ArtifactType.sample_output, ArtifactType.expected_output, ArtifactType.diff)
OUTPUT, EXPECTED, BOTH, NOTHING = KINDS[:1], KINDS[1:2], KINDS[:2], KINDS[:0]


class RunFile(enum.StrEnum):
    """What a run leaves as a whole, in the order in which it is listed."""

    log = "log"
    combined_output = "combined-output"
    binary = "binary"
    core_dump = "core-dump"

    @property
    def type(self) -> ArtifactType:
        is_text = self in (RunFile.log, RunFile.combined_output)
        return ArtifactType.build_log if is_text else ArtifactType.binary


@dataclass(slots=True)
class ArtifactRow:
    """A file of an output or a sample; both hashes are set where it is their difference."""

    type: ArtifactType
    sample_id: int | None
    regression_id: int | None = None
    output_id: int | None = None
    sample_sha: str | None = None
    expected_hash: str | None = None
    actual_hash: str | None = None
    extension: str = ""
    expected_filename: str | None = None


@dataclass(frozen=True)
class Results:
    """What the results of a run say of its files: the tests that have one, in order, each with the
    hashes of its outputs, and whether one ended with a wrong exit code, as a crash does."""

    tests: dict[int, dict[int, Hashes]]
    definitions: dict[int, Definition]
    crashed: bool

    @property
    def samples(self) -> list[tuple[int, str]]:
        """The samples of the tests, by id, with their hashes."""
        found = {}
        for test in self.tests:
            sample = self.definitions[test].sample
            if sample is not None:
                found[sample.sample_id] = sample.sha or ""
        return sorted(found.items())


def results_of(run: RunRow) -> Results:
    """What the results of a run say of its files."""
    is_kept = are_kept([run])
    rows = fetch(_results(in_set=not is_kept), {"run_id": run.run_id})
    if is_kept:
        members = catalogue.members_of_set(run.set_id or 0)
        rows = [row for row in rows if row.regression_test_id in members]
    tests: dict[int, dict[int, Hashes]] = {}
    for test, output_id, expected, got, *_ in rows:
        files = tests.setdefault(test, {})
        if output_id is not None:
            files[output_id] = expected, got
    definitions = catalogue.definitions(tests)
    # Nobody asks it of our runners; and without an error nothing has crashed.
    crashed = (
        not run.attempts
        and run.errors != 0
        and any(
            verdict.exit_differs(code, expected, definitions[test].expected_rc)
            for test, _, _, _, code, expected in rows
        )
    )
    return Results(tests, definitions, crashed)


def files_of_run(run: RunRow, results: Results) -> list[RunFile]:
    """What should be there of the run itself, as its end says.

    Our runners keep a log only. Existing workers send the binary and all output at the end of a
    completed run, and a core dump when something crashed.
    """
    if run.attempts:
        return [RunFile.log]
    if not run.status.has_ended:
        return []
    if run.status is RunStatus.canceled:
        return [RunFile.log]
    found = [RunFile.log, RunFile.combined_output, RunFile.binary]
    return [*found, RunFile.core_dump] if results.crashed else found


def rows_of_run(
    results: Results, types: Collection[ArtifactType], *, limit: int, offset: int
) -> tuple[list[ArtifactRow], int]:
    """Some of the rows of these types, and how many there are: those of outputs by test, output
    and type, then those of samples."""
    kinds = [kind for kind in KINDS if kind in types]
    outputs = [
        (kind, definition, output, hashes)
        for definition, output, hashes in (_compared(results) if kinds else ())
        for kind in _files_of(output, *hashes)
        if kind in kinds
    ]
    samples = results.samples if ArtifactType.media_info in types else []
    page = outputs[offset : offset + limit]
    behind = max(0, offset - len(outputs))
    return [
        *(_row_of_output(*shown) for shown in page),
        *(
            ArtifactRow(ArtifactType.media_info, sample_id, sample_sha=sha)
            for sample_id, sha in islice(samples, behind, behind + limit - len(page))
        ),
    ], len(outputs) + len(samples)


def _compared(results: Results) -> Iterator[tuple[Definition, DefinedOutput, Hashes]]:
    """The outputs that were compared, by test and output."""
    for test, files in results.tests.items():
        definition = results.definitions[test]
        for output in definition.outputs:
            hashes = files.get(output.output_id)
            if hashes is not None:
                yield definition, output, hashes


def _came_out(output: DefinedOutput, expected: str, got: str | None) -> bool:
    """Whether anything came out but the baseline: of an output that matched one which was revoked
    since, that one came out."""
    if got is None and expected not in output.revoked:
        return False  # nearly all of them
    status = verdict.output_status(
        has_row=True, expected=expected, got=got, accepted=output.accepted, revoked=output.revoked
    )
    return got is not None or status is OutputStatus.diff_mismatch


def _files_of(output: DefinedOutput, expected: str, got: str | None) -> Collection[ArtifactType]:
    """Which files there are of an output that was compared."""
    if not _came_out(output, expected, got):
        return EXPECTED if expected else NOTHING
    seen = expected if got is None else got
    if not seen:
        return EXPECTED if output.correct else NOTHING
    if not output.correct:
        return OUTPUT
    return BOTH if output.correct == seen else KINDS


def _row_of_output(
    kind: ArtifactType, definition: Definition, output: DefinedOutput, hashes: Hashes
) -> ArtifactRow:
    expected, got = hashes
    came_out = _came_out(output, expected, got)
    return ArtifactRow(
        type=kind,
        sample_id=definition.sample_id,
        regression_id=definition.regression_id,
        output_id=output.output_id,
        expected_hash=output.correct if came_out else expected,
        actual_hash=(expected if got is None else got) if came_out else None,
        extension=output.extension or "",
        expected_filename=output.expected_filename,
    )


@functools.cache
def _results(*, in_set: bool) -> Select[Any]:
    """The results of the run `run_id`, by test: a row for each of their files and one for each
    without any. `in_set`: without those that a recorded set leaves out."""
    is_file = and_(
        ResultFile.test_id == Result.test_id,
        ResultFile.regression_test_id == Result.regression_test_id,
    )
    rows = in_this_order(
        select(
            Result.regression_test_id,
            ResultFile.regression_test_output_id,
            ResultFile.expected,
            ResultFile.got,
            Result.exit_code,
            Result.expected_rc,
        )
        .select_from(Result)
        .outerjoin(ResultFile, is_file)
        .where(Result.test_id == bindparam("run_id"))
        .order_by(Result.regression_test_id)
    )
    if not in_set:
        return rows
    is_test = RegressionTest.id == Result.regression_test_id
    return rows.join(RegressionTest, is_test).where(verdict.in_set())
