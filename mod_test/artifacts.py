"""Which files a run should have left, as rows: filtered and paged before any storage is asked."""

import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Integer, bindparam, select

from database import fetch
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
    """What the results of a run say of its files: by its tests that have a result, in order, the
    hashes of its outputs; and whether one ended with a wrong exit code, as a crash does."""

    files: dict[int, dict[int, Hashes]]
    definitions: dict[int, Definition]
    crashed: bool

    @property
    def samples(self) -> list[tuple[int, str]]:
        """The samples of the tests, by id, with their hashes."""
        found = {}
        for test in self.files:
            sample = self.definitions[test].sample
            if sample is not None:
                found[sample.sample_id] = sample.sha or ""
        return sorted(found.items())


def results_of(run: RunRow) -> Results:
    """What the results of a run say of its files."""
    # Nobody asks it of our runners; and without an error nothing has crashed.
    may_have_crashed = not run.attempts and run.errors != 0
    codes: Sequence[Any] = []
    if are_kept([run]) and run.skipped == 0 and not may_have_crashed:
        tests = sorted(catalogue.members_of_set(run.set_id or 0))
    else:
        codes = _codes_of(run)
        tests = [test for test, *_ in codes]
    files: dict[int, dict[int, Hashes]] = {test: {} for test in tests}
    for test, output_id, expected, got in fetch(_FILES, {"run_id": run.run_id}):
        if test in files:
            files[test][output_id] = expected, got
    definitions = catalogue.definitions(tests)
    crashed = may_have_crashed and any(
        verdict.exit_differs(code, expected, definitions[test].expected_rc)
        for test, code, expected in codes
    )
    return Results(files, definitions, crashed)


def _codes_of(run: RunRow) -> Sequence[Any]:
    """The results of a run's set, by test, each with its exit code and the one that it should have
    had."""
    if not are_kept([run]):
        return fetch(_CODES_IN_SET, {"run_id": run.run_id})
    members = catalogue.members_of_set(run.set_id or 0)
    return [row for row in fetch(_CODES, {"run_id": run.run_id}) if row[0] in members]


def files_of_run(run: RunRow, results: Results) -> list[RunFile]:
    """What should be there of the run itself, as its end says.

    Of our runners that is the log: not all of them keep more. Existing workers send the binary and
    all output at the end of a completed run, and a core dump when something crashed.
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
    outputs = list(_compared(results, kinds)) if kinds else []
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


def _compared(
    results: Results, kinds: Collection[ArtifactType]
) -> Iterator[tuple[ArtifactType, Definition, DefinedOutput, Hashes]]:
    """The files of these kinds of the outputs that were compared, by test, output and kind."""
    for test, files in results.files.items():
        definition = results.definitions[test]
        for output in definition.outputs:
            hashes = files.get(output.output_id)
            if hashes is None:
                continue
            expected, got = hashes
            # Nearly all of them are what was expected.
            is_match = got is None and expected and expected not in output.revoked
            for kind in EXPECTED if is_match else _files_of(output, expected, got):
                if kind in kinds:
                    yield kind, definition, output, hashes


def _came_out(output: DefinedOutput, expected: str, got: str | None) -> bool:
    """Return whether anything came out but the baseline: of an output that matched one which was
    revoked since, that one came out."""
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


_RUN_ID = bindparam("run_id", type_=Integer)
_FILES = select(
    ResultFile.regression_test_id,
    ResultFile.regression_test_output_id,
    ResultFile.expected,
    ResultFile.got,
).where(ResultFile.test_id == _RUN_ID)
_CODES = (
    select(Result.regression_test_id, Result.exit_code, Result.expected_rc)
    .where(Result.test_id == _RUN_ID)
    .order_by(Result.regression_test_id)
)
# Without those that a recorded set leaves out.
_CODES_IN_SET = _CODES.join(RegressionTest, RegressionTest.id == Result.regression_test_id).where(
    verdict.in_set()
)
