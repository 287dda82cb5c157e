"""Regression tests of several runs as rows: what each printed and wrote, and how that reads.

For histories and what is kept, derived in SQL; those of one run are in `mod_test.run_results`. How
results read is decided by `mod_test.verdict`.
"""

import functools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    literal,
    select,
    tuple_,
)

from database import db, fetch
from database.spans import among, is_among
from mod_regression.models import RegressionTest, RegressionTestOutput
from mod_test import verdict
from mod_test.models import Outcome, Result, ResultFile, ResultRecord, Run
from mod_test.output_hashes import Compared
from mod_test.verdict import OutputStatus, ResultStatus

Place = tuple[int, int]  # a run and a regression test

# Statements are composed once: composing one costs more than the database needs for it.
IDS: Any = bindparam("ids", expanding=True)
_STATUSES = {status.value: status for status in ResultStatus}
_OUTPUT_STATUSES = {status.value: status for status in OutputStatus}
COLUMNS, STATUS_PLACE = 13, 4
MOST_IN_VAIN = 4  # results that are read for each that is asked for


@dataclass(slots=True)
class ResultRow:
    """One regression test of a run. Without a result, what only a result can tell is None.

    `outcome`, `signal` and `was_killed` are those of `verdict.end_of_test`.
    """

    run_id: int
    regression_id: int
    sample_id: int
    command: str
    status: ResultStatus
    runtime_ms: int | None
    exit_code: int | None
    expected_exit_code: int
    wrong_exit: bool
    outcome: Outcome | None
    signal: str | None
    was_killed: bool
    told: str | None
    tail: str | None

    @property
    def place(self) -> Place:
        return self.run_id, self.regression_id

    @property
    def has_result(self) -> bool:
        return self.status in (ResultStatus.passed, ResultStatus.fail, ResultStatus.missing_output)


@dataclass(slots=True)
class OutputRow(Compared):
    """One output of a result. `correct` is its baseline today, `expected` that of the run's time,
    both as the tables have them; `got` is None where the output matched (`has_row`) or where there
    is none. An ignored output takes no part in any verdict; its `status` only informs."""

    output_id: int
    extension: str
    expected_filename: str | None
    ignored: bool
    correct: str | None
    has_row: bool
    expected: str | None
    got: str | None
    status: OutputStatus


def columns(status: ColumnElement[str], run_id: Any) -> tuple[Any, ...]:
    """What `as_result` reads, of a `Run` and a `RegressionTest` joined (outer) to its `Result` and
    record."""
    return (
        run_id.label("run_id"),
        RegressionTest.id.label("regression_id"),
        RegressionTest.sample_id,
        RegressionTest.command,
        status.label("status"),
        Result.runtime,
        Result.exit_code,
        verdict.expected_rc().label("expected_exit_code"),
        case((Result.test_id.is_(None), 0), (verdict.wrong_exit(), 1), else_=0).label("wrong_exit"),
        ResultRecord.outcome,
        ResultRecord.signal,
        ResultRecord.message.label("told"),
        Run.platform.label("platform_of_run"),
    )


def as_result(row: Any) -> ResultRow:
    """A row of `columns`, which may have more behind them."""
    (
        run_id, regression_id, sample_id, command, status, runtime, exit_code, expected_exit_code,
        wrong_exit, outcome, signal, told, platform,
    ) = row[:COLUMNS]  # fmt: skip
    end = verdict.end_of_test(exit_code, runtime, platform, outcome=outcome, signal=signal)
    return ResultRow(
        run_id, regression_id, sample_id, command, _STATUSES[status],
        None if runtime is None else max(0, runtime), exit_code, expected_exit_code,
        bool(wrong_exit), end.outcome, end.signal, end.was_killed, told or None, None,
    )  # fmt: skip


def outputs_of(places: Collection[Place]) -> dict[Place, list[OutputRow]]:
    """The outputs of results, also the ignored ones, by id, in one statement.

    Of a test without a result nothing was compared: it has none.
    """
    found: dict[Place, list[OutputRow]] = {place: [] for place in places}
    if not found:
        return found
    ids = sorted({run_id for run_id, _ in found})
    tests = sorted({regression_id for _, regression_id in found})
    if len(ids) * len(tests) <= MOST_IN_VAIN * len(found):
        shape, params = among("tests", tests)
        rows: Iterable[Any] = fetch(_outputs_of_tests(shape), {"ids": ids, **params})
    else:
        # Far apart: naming the pairs is slower for each, and reads nothing else.
        pairs = tuple_(Result.test_id, Result.regression_test_id).in_(list(found))
        rows = db.session.execute(_OUTPUTS.where(pairs))
    for row in rows:
        run_id, regression_id, *output = row
        of = found.get((run_id, regression_id))
        if of is not None:
            of.append(_as_output(*output))
    return found


def results_at(places: Mapping[Place, str]) -> list[ResultRow]:
    """The results at these places that there are, with these statuses (words of ResultStatus)."""
    pairs = tuple_(Result.test_id, Result.regression_test_id).in_(list(places))
    found = []
    for row in db.session.execute(_RESULTS.where(pairs)):
        run_id, regression_id, *_ = row
        values = [*row[:STATUS_PLACE], places[run_id, regression_id], *row[STATUS_PLACE + 1 :]]
        found.append(as_result(values))
    return found


def _outputs() -> Select[Any]:
    output, file = RegressionTestOutput, ResultFile
    status = case(
        (file.test_id.is_(None), OutputStatus.missing_output.value),
        (verdict.differs(file, output), OutputStatus.diff_mismatch.value),
        else_=OutputStatus.match.value,
    )
    return (
        select(
            Result.test_id,
            Result.regression_test_id,
            output.id.label("output_id"),
            output.correct_extension,
            output.expected_filename,
            case((verdict.takes_part(output), 0), else_=1).label("ignored"),
            output.correct,
            file.expected,
            file.got,
            status.label("status"),
        )
        .select_from(Result)
        .join(output, output.regression_id == Result.regression_test_id)
        .outerjoin(
            file,
            and_(
                file.test_id == Result.test_id,
                file.regression_test_id == Result.regression_test_id,
                file.regression_test_output_id == output.id,
            ),
        )
        .where(output.id > 0)
        .order_by(output.id)
    )


_OUTPUTS = _outputs()
_RESULTS = (
    select(*columns(literal(""), Result.test_id))
    .select_from(Result)
    .join(Run, Run.id == Result.test_id)
    .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
    .outerjoin(ResultRecord, ResultRecord.is_of_result())
)


@functools.cache
def _outputs_of_tests(shape: int) -> Select[Any]:
    of_tests = is_among(Result.regression_test_id, "tests", shape)
    return _OUTPUTS.where(Result.test_id.in_(IDS), of_tests)


def _as_output(
    output_id: int,
    extension: str,
    expected_filename: str | None,
    ignored: int,
    correct: str | None,
    expected: str | None,
    got: str | None,
    status: str,
) -> OutputRow:
    has_row = expected is not None  # the column of a row that is there is never NULL
    return OutputRow(
        output_id, extension, expected_filename, bool(ignored), correct, has_row, expected, got,
        _OUTPUT_STATUSES[status],
    )  # fmt: skip
