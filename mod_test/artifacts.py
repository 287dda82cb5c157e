"""Which files a run should have left, as rows: filtered and paged before any storage is asked."""

import enum
import functools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    null,
    or_,
    select,
    union_all,
)

from database import exact, fetch, in_this_order
from mod_regression.models import RegressionTest, RegressionTestOutput
from mod_sample.models import Sample
from mod_test import verdict
from mod_test.models import Result, ResultFile
from mod_test.rollup.tables import RunSetMember
from mod_test.run_rows import RunRow
from mod_test.sets import are_kept
from mod_test.verdict import RunStatus

RUN_ID: Any = bindparam("run_id")


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
    """What the results of a run say of its files: their samples, by id with their hashes, and
    whether one ended with a wrong exit code, as a crash does."""

    samples: list[tuple[int, str]]
    crashed: bool


def results_of(run: RunRow) -> Results:
    """What the results of a run say of its files."""
    of_set, may_have_crashed = are_kept([run]), not run.attempts and run.errors != 0
    params = {"run_id": run.run_id, "set_id": run.set_id or 0}
    rows = fetch(_of_results(of_set, may_have_crashed), params)
    samples = [(sample_id, sha) for sample_id, sha in rows if sample_id is not None]
    return Results(samples, crashed=len(samples) < len(rows))


def files_of_run(run: RunRow, *, crashed: bool) -> list[RunFile]:
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
    return [*found, RunFile.core_dump] if crashed else found


def rows_of_run(
    run: RunRow,
    types: Collection[ArtifactType],
    samples: list[tuple[int, str]],
    *,
    limit: int,
    offset: int,
) -> tuple[list[ArtifactRow], int]:
    """Some of the rows of these types, and how many there are: those of outputs by test, output
    and type, then those of samples.

    Which there are is asked for by their numbers only: a run has hundreds, and shows a page.
    """
    of_set = are_kept([run])
    params = {"run_id": run.run_id, "set_id": run.set_id or 0}
    kinds = [kind for kind in KINDS if kind in types]
    outputs = []
    for row in fetch(_outputs(of_set), params) if kinds else ():
        there = _files_of(row)
        outputs += [(kind, row.id) for kind in kinds if kind in there]
    if ArtifactType.media_info not in types:
        samples = []
    page = outputs[offset : offset + limit]
    behind = max(0, offset - len(outputs))
    shown = {"run_id": run.run_id, "outputs": sorted({output_id for _, output_id in page})}
    return [
        *_rows_of_outputs(page, shown),
        *(
            ArtifactRow(ArtifactType.media_info, sample_id, sample_sha=sha)
            for sample_id, sha in samples[behind : behind + limit - len(page)]
        ),
    ], len(outputs) + len(samples)


def _files_of(row: Any) -> Collection[ArtifactType]:
    """Which files there are of an output, a row of `_outputs`."""
    if not row.came_out:
        return (ArtifactType.expected_output,) if row.was_expected else ()
    if not row.is_output:
        return (ArtifactType.expected_output,) if row.is_expected else ()
    if not row.is_expected:
        return (ArtifactType.sample_output,)
    return KINDS[:2] if row.is_same else KINDS


def _rows_of_outputs(
    shown: Sequence[tuple[ArtifactType, int]], params: dict[str, Any]
) -> Iterator[ArtifactRow]:
    if not shown:
        return
    rows = {row.output_id: row for row in fetch(_SHOWN, params)}
    for kind, output_id in shown:
        row = rows[output_id]
        yield ArtifactRow(
            type=kind,
            sample_id=row.sample_id,
            regression_id=row.regression_id,
            output_id=output_id,
            expected_hash=row.expected_hash,
            actual_hash=row.actual_hash,
            extension=row.extension or "",
            expected_filename=row.expected_filename,
        )


# As in `mod_test.outputs`: what matched a baseline that was revoked since came out as that.
_CAME_OUT = or_(ResultFile.got.is_not(None), verdict.differs())
_SEEN = func.coalesce(ResultFile.got, ResultFile.expected)


def _is_compared() -> ColumnElement[bool]:
    """How a `Result` is joined to a `ResultFile`."""
    return and_(
        Result.test_id == ResultFile.test_id,
        Result.regression_test_id == ResultFile.regression_test_id,
    )


@functools.cache
def _outputs(of_set: bool) -> Select[Any]:
    """The compared outputs of the run `run_id`, each with what says which files it has; `of_set`:
    the run's set is kept, `set_id`."""
    file, output = ResultFile, RegressionTestOutput
    columns = (
        output.id,
        _CAME_OUT.label("came_out"),
        (func.coalesce(output.correct, "") != "").label("is_expected"),
        (func.coalesce(file.expected, "") != "").label("was_expected"),
        (func.coalesce(_SEEN, "") != "").label("is_output"),
        (exact(output.correct) == exact(_SEEN)).label("is_same"),
    )
    is_of_test = and_(
        output.id == file.regression_test_output_id, output.regression_id == file.regression_test_id
    )
    outputs = select(*columns).order_by(file.regression_test_id, output.id)
    outputs = outputs.where(file.test_id == RUN_ID, output.id > 0)
    if not of_set:
        return (
            outputs.select_from(file)
            .join(Result, _is_compared())
            .join(output, is_of_test)
            .join(RegressionTest, RegressionTest.id == file.regression_test_id)
            .where(verdict.in_set())
        )
    is_member = file.regression_test_id == RunSetMember.regression_test_id
    return in_this_order(
        outputs.select_from(RunSetMember)
        .join(file, and_(file.test_id == RUN_ID, is_member))
        .join(Result, _is_compared())
        .join(output, is_of_test)
        .where(RunSetMember.set_id == bindparam("set_id"))
    )


# What is shown of some of them: what each was held against, and what came out.
_SHOWN = in_this_order(
    select(
        RegressionTestOutput.id.label("output_id"),
        ResultFile.regression_test_id.label("regression_id"),
        RegressionTest.sample_id,
        RegressionTestOutput.correct_extension.label("extension"),
        RegressionTestOutput.expected_filename,
        case((_CAME_OUT, RegressionTestOutput.correct), else_=ResultFile.expected).label(
            "expected_hash"
        ),
        case((_CAME_OUT, _SEEN)).label("actual_hash"),
    )
    .select_from(RegressionTestOutput)
    .join(RegressionTest, RegressionTest.id == RegressionTestOutput.regression_id)
    .join(
        ResultFile,
        and_(
            ResultFile.test_id == RUN_ID,
            ResultFile.regression_test_id == RegressionTest.id,
            ResultFile.regression_test_output_id == RegressionTestOutput.id,
        ),
    )
    .where(RegressionTestOutput.id.in_(bindparam("outputs", expanding=True)))
)


@functools.cache
def _of_results(of_set: bool, may_have_crashed: bool) -> Any:
    """The samples of the run's results, with their hashes; and a row of nothing where one ended
    with a wrong exit code."""
    samples = (
        select(Sample.id, Sample.sha)
        .select_from(Result)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .join(Sample, Sample.id == RegressionTest.sample_id)
        .where(Result.test_id == RUN_ID, _is_of_set(of_set))
        .distinct()
        .order_by(Sample.id)
    )
    if not may_have_crashed:
        return samples
    wrong = (
        select(Result.test_id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.test_id == RUN_ID, _is_of_set(of_set), verdict.wrong_exit())
    )
    crashed = select(null(), null()).where(exists(wrong))
    of_samples = samples.subquery("samples")
    both = union_all(select(of_samples), crashed).subquery("both")
    return select(both).order_by(both.c.id)


def _is_of_set(of_set: bool) -> ColumnElement[bool]:
    if not of_set:
        return verdict.in_set()
    return exists().where(
        RunSetMember.set_id == bindparam("set_id"),
        RunSetMember.regression_test_id == Result.regression_test_id,
    )
