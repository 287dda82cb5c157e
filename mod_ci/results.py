"""Results and their outputs, as runners and the existing workers report them.

Files are in place before the unit of work that names them begins; a result and its
outputs are replaced together, so that the same report twice counts once.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
)

from database import Batch, db, fetch, utc_now
from errors import Invalid, NotFound, Unavailable, Unprocessable
from mod_regression.models import RegressionTest, RegressionTestOutput
from mod_sample.storage import Readable, Repository, StorageUnavailable, UnsafeName, result_key
from mod_test import sets
from mod_test.models import CustomizedTest, Outcome, Result, ResultFile, ResultRecord


@dataclass(frozen=True)
class Output:
    """An output that a regression test should produce, as it is defined today."""

    output_id: int
    correct: str | None
    extension: str


@dataclass(frozen=True)
class Expected:
    """What a regression test should do, by today's definition; `is_reported`: the run has something
    of it already, a result or a part of one."""

    exit_code: int
    outputs: Mapping[int, Output]
    is_reported: bool


@dataclass(frozen=True)
class Report:
    """How one regression test ended; `outputs` maps output ids to the SHA-256 of what came out.

    `exit_code` is None for a process that did not exit by itself.
    """

    runtime_ms: int | None
    exit_code: int | None
    outcome: Outcome
    outputs: Mapping[int, str]
    signal: str | None = None
    message: str | None = None
    tail: str | None = None
    stdout_tail: str | None = None
    stderr_tail: str | None = None
    started_at: datetime | None = None


def as_exit_code(value: int) -> int | None:
    """An exit code in the 32 bits with a sign that the table has: Windows' are told with a sign or
    without. None for what is none."""
    if not -(2**31) <= value < 2**32:
        return None
    return value if value < 2**31 else value - 2**32


def expected_of(run_id: int, regression_id: int) -> Expected:
    """What a regression test of a run should do today, and whether the run has a result of it.

    Raises NotFound when the run has no such test.
    """
    wanted = {"run_id": run_id, "regression_id": regression_id}
    return expected_in(fetch(EXPECTED, wanted), regression_id)


def expected_in(rows: Sequence[Any], regression_id: int) -> Expected:
    """What rows of `EXPECTED` say. Raises NotFound."""
    if not rows:
        raise NotFound("regression_test", regression_id)
    first = rows[0]
    return Expected(
        exit_code=first.expected_rc or 0,
        outputs={
            row.id: Output(row.id, row.correct, row.correct_extension)
            for row in rows
            if row.id is not None
        },
        is_reported=bool(first.is_reported),
    )


def belongs_to(run_id: Any, regression_id: Any) -> ColumnElement[bool]:
    """Whether a `RegressionTest` has this id and is not left out by the run's recorded set."""
    chosen = exists().where(
        CustomizedTest.test_id == run_id, CustomizedTest.regression_id == regression_id
    )
    return and_(RegressionTest.id == regression_id, or_(~sets.recorded(run_id).exists(), chosen))


def _expected() -> Select[Any]:
    run_id = bindparam("run_id", type_=Integer)
    reported = [
        exists().where(table.test_id == run_id, table.regression_test_id == RegressionTest.id)
        for table in (Result, ResultFile)
    ]
    return (
        select(
            RegressionTest.expected_rc,
            or_(*reported).label("is_reported"),
            RegressionTestOutput.id,
            RegressionTestOutput.correct,
            RegressionTestOutput.correct_extension,
        )
        .outerjoin(
            RegressionTestOutput,
            and_(
                RegressionTestOutput.regression_id == RegressionTest.id,
                RegressionTestOutput.id > 0,
            ),
        )
        .where(belongs_to(run_id, bindparam("regression_id", type_=Integer)))
    )


# Composed once: a run brings hundreds of results, and building these cost more than the database.
EXPECTED = _expected()
_INSERT_RESULT = insert(cast("Table", Result.__table__))
_INSERT_FILE = insert(cast("Table", ResultFile.__table__))
_INSERT_RECORD = insert(cast("Table", ResultRecord.__table__)).values(recorded_at=utc_now())


def keep_files(
    repository: Repository,
    outputs: Mapping[int, Output],
    claimed: Mapping[int, str],
    files: Mapping[int, Readable],
    *,
    limit: int,
) -> None:
    """Store the uploaded outputs under the hash of what really came.

    Raises Invalid for an output that is none of this test's or whose bytes are not what was
    claimed, Unprocessable `upload_required` naming the outputs that must come as files, and
    Unavailable when they could not be stored.
    """
    unknown = sorted(set(claimed) - set(outputs)) + sorted(set(files) - set(claimed))
    if unknown:
        raise Invalid.fields(outputs=f"Output {unknown[0]} is none of this test's.")
    for output_id, stream in files.items():
        if (
            keep(repository, stream, outputs[output_id].extension, limit, claimed[output_id])
            is None
        ):
            raise Invalid.fields(
                **{f"output-{output_id}": "Its SHA-256 is not the one that was claimed."}
            )
    owed = {
        output_id: result_key(claimed[output_id], outputs[output_id].extension)
        for output_id in differing(outputs, claimed)
        if output_id not in files
    }
    found = repository.locate(owed.values()) if owed else {}
    missing = sorted(output_id for output_id, key in owed.items() if not found[key].backends)
    if missing:
        raise Unprocessable(
            "These outputs differ from their baseline and must be sent as files.",
            "upload_required",
            output_ids=missing,
        )


def differing(outputs: Mapping[int, Output], claimed: Mapping[int, str]) -> list[int]:
    """The outputs that are not their baseline, or none of this test's."""
    return [
        output_id
        for output_id, sha256 in claimed.items()
        if output_id not in outputs or outputs[output_id].correct != sha256
    ]


def keep(
    repository: Repository,
    stream: Readable,
    extension: str,
    limit: int,
    expected: str | None = None,
) -> str | None:
    """Store one output and return its SHA-256; None (nothing kept) when it is not `expected`.

    Raises Unavailable when it could not be stored, errors of the storage for what cannot be named.
    """
    with ExitStack() as stack:
        try:
            received = stack.enter_context(repository.receive(stream, limit))
            if expected is not None and received.sha256 != expected:
                return None
            repository.keep(received, result_key(received.sha256, extension))
        except StorageUnavailable as error:
            raise Unavailable(f"The file could not be stored: {error}", retry_after=5) from error
        except UnsafeName as error:
            raise Unprocessable(f"The output cannot be stored: {error}") from error
        return received.sha256


def replace(
    run_id: int,
    regression_id: int,
    report: Report,
    expected: Expected,
    *,
    attempt_id: int | None,
) -> Batch:
    """Put a result and its outputs in the place of what was reported before.

    Call it under the lock of the run. An output whose hash is its baseline now is a match (`got`
    NULL); which baseline that is was read with `expected` in the same unit of work. The new rows
    are in the batch that is returned, which is still to be sent.
    """
    key = {"test_id": run_id, "regression_test_id": regression_id}
    if expected.is_reported:
        for table in (ResultRecord, ResultFile, Result):
            db.session.execute(
                delete(table).filter_by(**key).execution_options(synchronize_session=False)
            )
    batch = Batch()
    batch.add(
        _INSERT_RESULT,
        {
            **key,
            "runtime": report.runtime_ms,
            "exit_code": report.exit_code,
            "expected_rc": expected.exit_code,
        },
    )
    for output_id, sha256 in report.outputs.items():
        correct = expected.outputs[output_id].correct
        batch.add(
            _INSERT_FILE,
            {
                **key,
                "regression_test_output_id": output_id,
                "expected": correct or "",
                "got": None if sha256 == correct else sha256,
            },
        )
    batch.add(
        _INSERT_RECORD,
        {
            **key,
            "attempt_id": attempt_id,
            "outcome": report.outcome,
            "signal": report.signal,
            "message": report.message,
            "tail": report.tail,
            "stdout_tail": report.stdout_tail,
            "stderr_tail": report.stderr_tail,
            "started_at": report.started_at,
        },
    )
    return batch
