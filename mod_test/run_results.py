"""Some regression tests of a run, each whole: its result, its outputs, and its definition."""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, bindparam, select

from database import fetch, in_this_order
from database.spans import among, is_among
from mod_regression.definitions import DefinedOutput, Definition
from mod_test import catalogue, verdict
from mod_test.models import Result, ResultFile, ResultRecord
from mod_test.result_rows import OutputRow, ResultRow
from mod_test.run_rows import RunRow
from mod_test.verdict import ResultStatus

Hashes = tuple[str, str | None]  # of an output's row: what was expected, and what came out


@dataclass(slots=True)
class RunResult:
    """One regression test of a run; without a result it has no outputs.

    `has_sentinel`: the sentinel tells that it produced nothing. `read` is what the database told of
    the result, with what was asked for beside; None without one.
    """

    row: ResultRow
    outputs: list[OutputRow]
    definition: Definition
    has_sentinel: bool = False
    read: Any = None


def results_of(
    run: RunRow,
    tests: Collection[int],
    *,
    running: Collection[int] = (),
    also: tuple[Any, ...] = (),
) -> list[RunResult]:
    """These tests of a run's set, in their order, those without a result, too.

    `running` are the tests at which its runner is at the moment. `also` are more columns of a
    `ResultRecord`.
    """
    if not tests:
        return []
    definitions = catalogue.definitions(tests)
    shape, params = among("tests", tests)
    found: dict[int, Any] = {}
    files: dict[int, dict[int, Hashes]] = {}
    for row in fetch(_rows(shape, also), {"run_id": run.run_id, **params}):
        regression_id = row.regression_test_id
        found[regression_id] = row
        if row.output_id is not None:
            files.setdefault(regression_id, {})[row.output_id] = row.expected, row.got
    return [
        _result(run, definitions[test], found[test], files.get(test, {}))
        if test in found
        else _lacking(run, definitions[test], is_running=test in running)
        for test in tests
        if test in definitions
    ]


def _output(output: DefinedOutput, file: Hashes | None) -> OutputRow:
    expected, got = file or (None, None)
    status = verdict.output_status(
        has_row=file is not None,
        expected=expected,
        got=got,
        accepted=output.accepted,
        revoked=output.revoked,
    )
    return OutputRow(
        output.output_id, output.extension, output.expected_filename, output.ignored,
        output.correct, file is not None, expected, got, status,
    )  # fmt: skip


def _lacking(run: RunRow, test: Definition, *, is_running: bool) -> RunResult:
    """A test without a result."""
    status = ResultStatus.not_started
    if run.status.has_ended:
        status = ResultStatus.skipped
    elif is_running:
        status = ResultStatus.running
    row = ResultRow(
        run.run_id, test.regression_id, test.sample_id or 0, test.command, status,
        None, None, test.expected_rc or 0, False, None, None, False, None, None,
    )  # fmt: skip
    return RunResult(row, [], test)


def _result(run: RunRow, test: Definition, row: Any, files: Mapping[int, Hashes]) -> RunResult:
    outputs = [_output(output, files.get(output.output_id)) for output in test.outputs]
    told_by = files.get(verdict.SENTINEL_OUTPUT)
    has_sentinel = told_by is not None and told_by[1] == verdict.SENTINEL_GOT
    expected = verdict.expected_exit_code(row.expected_rc, test.expected_rc)
    wrong_exit = verdict.exit_differs(row.exit_code, row.expected_rc, test.expected_rc)
    status = verdict.result_status(
        (output.status for output in outputs if not output.ignored),
        exit_differs=wrong_exit,
        sentinel=has_sentinel,
    )
    end = verdict.end_of_test(
        row.exit_code, row.runtime, run.platform, outcome=row.outcome, signal=row.signal
    )
    result = ResultRow(
        run.run_id, test.regression_id, test.sample_id or 0, test.command, status,
        None if row.runtime is None else max(0, row.runtime), row.exit_code, expected,
        wrong_exit, end.outcome, end.signal, end.was_killed, row.message or None,
        getattr(row, "tail", None),
    )  # fmt: skip
    return RunResult(result, outputs, test, has_sentinel, row)


@functools.cache
def _rows(shape: int, also: tuple[Any, ...]) -> Select[Any]:
    """The results of `tests`, a row for each of their files and one for each without any."""
    columns = (
        Result.regression_test_id,
        Result.runtime,
        Result.exit_code,
        Result.expected_rc,
        ResultRecord.outcome,
        ResultRecord.signal,
        ResultRecord.message,
        ResultFile.regression_test_output_id.label("output_id"),
        ResultFile.expected,
        ResultFile.got,
        *also,
    )
    is_file = and_(
        ResultFile.test_id == Result.test_id,
        ResultFile.regression_test_id == Result.regression_test_id,
    )
    return in_this_order(
        select(*columns)
        .select_from(Result)
        .outerjoin(ResultRecord, ResultRecord.is_of_result())
        .outerjoin(ResultFile, is_file)
        .where(
            Result.test_id == bindparam("run_id"),
            is_among(Result.regression_test_id, "tests", shape),
        )
    )
