"""Which files a run should have left, as rows: filtered and paged before any storage is asked."""

import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, exists, func, literal, or_, select, union_all

from database import db, exact
from mod_regression.models import RegressionTest, RegressionTestOutput
from mod_sample.models import Sample
from mod_test import verdict
from mod_test.models import Result, ResultFile
from mod_test.run_rows import RunRow
from mod_test.verdict import RunStatus

OUTPUTS, SAMPLES = 0, 1  # what stands where in the order


class ArtifactType(enum.StrEnum):
    """The types of the contract."""

    build_log = "build_log"
    sample_output = "sample_output"
    expected_output = "expected_output"
    diff = "diff"
    media_info = "media_info"
    binary = "binary"


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


@dataclass(frozen=True)
class ArtifactRow:
    """A file of an output or a sample; both hashes are set where it is their difference."""

    type: ArtifactType
    sample_id: int | None
    regression_id: int | None
    output_id: int | None
    sample_sha: str | None
    expected_hash: str | None
    actual_hash: str | None
    extension: str
    expected_filename: str | None


def files_of_run(run: RunRow) -> list[RunFile]:
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
    return [*found, RunFile.core_dump] if _crashed(run) else found


def count(run: RunRow, types: Collection[ArtifactType]) -> int:
    """How many rows of these types there are."""
    rows = _rows(run, types).subquery("artifacts")
    return db.session.execute(select(func.count()).select_from(rows)).scalar_one()


def select_page(
    run: RunRow, types: Collection[ArtifactType], *, limit: int, offset: int
) -> list[ArtifactRow]:
    """Some of the rows: those of outputs by test, output and type, then those of samples."""
    rows = _rows(run, types).subquery("artifacts")
    order = (rows.c.place, rows.c.regression_id, rows.c.output_id, rows.c.number, rows.c.sample_id)
    found = db.session.execute(select(rows).order_by(*order).limit(limit).offset(offset))
    return [
        ArtifactRow(
            type=ArtifactType(row.type),
            sample_id=row.sample_id,
            regression_id=row.regression_id,
            output_id=row.output_id,
            sample_sha=row.sample_sha,
            expected_hash=row.expected_hash,
            actual_hash=row.actual_hash,
            extension=row.extension or "",
            expected_filename=row.expected_filename,
        )
        for row in found
    ]


def _crashed(run: RunRow) -> bool:
    """Whether some test of a run ended with a wrong exit code, as a crash does."""
    return bool(
        db.session.scalar(
            select(
                exists(
                    select(Result.test_id)
                    .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
                    .where(Result.test_id == run.run_id, verdict.in_set(), verdict.wrong_exit())
                )
            )
        )
    )


def _rows(run: RunRow, types: Collection[ArtifactType]) -> Any:
    """One row for each artifact of a type of `types`, at least one of which is of rows."""
    parts = [_of_outputs(run, kind) for kind in types if kind in CONDITIONS]
    if ArtifactType.media_info in types:
        parts.append(_of_samples(run))
    return union_all(*parts)


def _compared(run: RunRow) -> Any:
    """The compared outputs of a run, each with what it was held against and what came out."""
    file, output = ResultFile, RegressionTestOutput
    # As in `mod_test.outputs`: what matched a baseline that was revoked since came out as that.
    came_out = or_(file.got.is_not(None), verdict.differs())
    return (
        select(
            file.regression_test_id.label("regression_id"),
            output.id.label("output_id"),
            RegressionTest.sample_id,
            Sample.sha.label("sample_sha"),
            output.correct_extension.label("extension"),
            output.expected_filename,
            case((came_out, output.correct), else_=file.expected).label("expected_hash"),
            case((came_out, func.coalesce(file.got, file.expected))).label("actual_hash"),
        )
        .select_from(file)
        .join(
            Result,
            and_(
                Result.test_id == file.test_id,
                Result.regression_test_id == file.regression_test_id,
            ),
        )
        .join(
            output,
            and_(
                output.id == file.regression_test_output_id,
                output.regression_id == file.regression_test_id,
            ),
        )
        .join(RegressionTest, RegressionTest.id == file.regression_test_id)
        .outerjoin(Sample, Sample.id == RegressionTest.sample_id)
        .where(file.test_id == run.run_id, output.id > 0, verdict.in_set())
        .subquery("compared")
    )


def _is_output(c: Any) -> Any:
    return func.coalesce(c.actual_hash, "") != ""


def _is_expected(c: Any) -> Any:
    return func.coalesce(c.expected_hash, "") != ""


def _is_diff(c: Any) -> Any:
    return and_(_is_output(c), _is_expected(c), exact(c.expected_hash) != exact(c.actual_hash))


CONDITIONS = {
    ArtifactType.sample_output: _is_output,
    ArtifactType.expected_output: _is_expected,
    ArtifactType.diff: _is_diff,
}


def _of_outputs(run: RunRow, kind: ArtifactType) -> Select[Any]:
    c = _compared(run).c
    return select(
        literal(OUTPUTS).label("place"),
        literal(list(CONDITIONS).index(kind)).label("number"),
        literal(kind.value).label("type"),
        c.sample_id,
        c.regression_id,
        c.output_id,
        c.sample_sha,
        c.expected_hash,
        c.actual_hash,
        c.extension,
        c.expected_filename,
    ).where(CONDITIONS[kind](c))


def _of_samples(run: RunRow) -> Select[Any]:
    nothing = literal(None)
    return (
        select(
            literal(SAMPLES).label("place"),
            literal(0).label("number"),
            literal(ArtifactType.media_info.value).label("type"),
            Sample.id.label("sample_id"),
            nothing.label("regression_id"),
            nothing.label("output_id"),
            Sample.sha.label("sample_sha"),
            nothing.label("expected_hash"),
            nothing.label("actual_hash"),
            nothing.label("extension"),
            nothing.label("expected_filename"),
        )
        .select_from(Result)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .join(Sample, Sample.id == RegressionTest.sample_id)
        .where(Result.test_id == run.run_id, verdict.in_set())
        .distinct()
    )
