"""The verdict: how an output, a result and a run read. The only place where that is decided.

The rules stand here twice, side by side: as Python on plain values, and as SQL that filters,
counts and lists. A test holds them against each other on arbitrary histories; every endpoint uses
one of them. Where a rule comes from: docs/semantics.md, "The verdict".
"""

import enum
import signal as signals
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import aliased

from database import exact, unindexed, utc_now
from mod_regression.models import (
    AcceptedVariant,
    BaselineRevocation,
    RegressionTest,
    RegressionTestOutput,
)
from mod_test.models import (
    CustomizedTest,
    Outcome,
    Platform,
    Progress,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)

SENTINEL_OUTPUT = -1
SENTINEL_GOT = "error"

# Signals that end a program which does not expect them; a shell and mono tell them as 128 + n.
TOLD_BY_SHELLS = frozenset({4, 6, 7, 8, 9, 11, 15})
LAST_SIGNAL = 64
# Windows ends a program that crashes with an NTSTATUS of this severity, here as a signed number.
FIRST_CRASH_OF_WINDOWS, LAST_CRASH_OF_WINDOWS = 0xC0000000 - 2**32, -256


class OutputStatus(enum.StrEnum):
    """How one expected output of a result reads; `missing_expected` only where content is served,
    for who asks for a baseline that is in no storage."""

    match = "match"
    diff_mismatch = "diff_mismatch"
    missing_output = "missing_output"
    missing_expected = "missing_expected"


class ResultStatus(enum.StrEnum):
    """How one regression test of a run reads."""

    passed = "pass"
    fail = "fail"
    skipped = "skipped"
    missing_output = "missing_output"
    running = "running"
    not_started = "not_started"

    @property
    def is_failure(self) -> bool:
        return self in (ResultStatus.fail, ResultStatus.missing_output)


class RunStatus(enum.StrEnum):
    """How a run reads."""

    queued = "queued"
    running = "running"
    passed = "pass"
    fail = "fail"
    canceled = "canceled"
    error = "error"
    incomplete = "incomplete"

    @property
    def has_ended(self) -> bool:
        return self not in (RunStatus.queued, RunStatus.running)


# The rules on plain values


def output_status(
    *,
    has_row: bool,
    expected: str | None,
    got: str | None,
    accepted: Collection[str],
    revoked: Collection[str],
) -> OutputStatus:
    """One expected, not ignored output.

    `accepted` holds the output's current baseline and its variants, `revoked` the hashes whose
    approval was undone.
    """
    if not has_row:
        return OutputStatus.missing_output
    seen = expected if got is None else got
    if got is None and seen not in revoked:
        return OutputStatus.match
    return OutputStatus.match if seen in accepted else OutputStatus.diff_mismatch


def exit_differs(exit_code: int | None, result_rc: int | None, test_rc: int | None) -> bool:
    """Whether the exit code is not the expected one: the result's, else the test's, else 0."""
    return exit_code is None or exit_code != expected_exit_code(result_rc, test_rc)


def expected_exit_code(result_rc: int | None, test_rc: int | None) -> int:
    """The exit code that was expected when the test ran, else today's, else 0."""
    return next((rc for rc in (result_rc, test_rc) if rc is not None), 0)


class End(NamedTuple):
    """How a test's process ended: by itself or, with `was_killed`, by a limit, signal or crash.

    `outcome` and `signal` are None where nobody told and the exit code does not tell either.
    """

    outcome: Outcome | None
    signal: str | None
    was_killed: bool


def end_of_test(
    exit_code: int | None,
    runtime: int | None,
    platform: Platform | None,
    *,
    outcome: Outcome | None,
    signal: str | None,
) -> End:
    """How a test ended: as our runner told (`outcome`), else as the exit code tells that an
    existing worker posted with the `runtime` in ms (docs/existing-platform.md)."""
    if outcome is not None:
        return End(outcome, signal, outcome.was_killed or crashed_on_windows(exit_code))
    if exit_code is None:
        return End(None, None, was_killed=False)
    if exit_code == -1:
        # The worker kills a test after a number of whole seconds, and tells just that as the
        # runtime. With another one, -1 is the program's own, which only Windows has.
        is_own = platform is Platform.windows and (not runtime or runtime % 1000 != 0)
        return End(None, None, False) if is_own else End(Outcome.time_limit, None, True)
    number = -exit_code
    if platform is not Platform.windows and exit_code - 128 in TOLD_BY_SHELLS:
        number = exit_code - 128
    if 1 < number <= LAST_SIGNAL:
        return End(Outcome.signal, signal_name(number), was_killed=True)
    return End(None, None, was_killed=exit_code < 0)


def crashed_on_windows(exit_code: int | None) -> bool:
    """Return whether an exit code is the status with which Windows ends a program that crashed."""
    return exit_code is not None and FIRST_CRASH_OF_WINDOWS <= exit_code <= LAST_CRASH_OF_WINDOWS


def signal_name(number: int) -> str:
    """The name of a signal, also of a real-time one."""
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def result_status(
    outputs: Iterable[OutputStatus], *, exit_differs: bool, sentinel: bool
) -> ResultStatus:
    """A regression test that has a result."""
    outputs = list(outputs)
    if sentinel or OutputStatus.missing_output in outputs:
        return ResultStatus.missing_output
    if exit_differs or OutputStatus.diff_mismatch in outputs:
        return ResultStatus.fail
    return ResultStatus.passed


def run_status(
    last: TestStatus | None,
    *,
    waits: bool,
    results: Collection[ResultStatus],
    recorded_without_result: bool,
) -> RunStatus:
    """A run: its last progress, whether its lost lease makes it wait, and its results."""
    if last is None:
        return RunStatus.queued
    if last is TestStatus.canceled:
        return RunStatus.canceled
    if last is not TestStatus.completed:
        return RunStatus.queued if waits else RunStatus.running
    if not results:
        return RunStatus.error
    if any(result.is_failure for result in results):
        return RunStatus.fail
    return RunStatus.incomplete if recorded_without_result else RunStatus.passed


# The same rules in SQL


def takes_part(output: Any = RegressionTestOutput) -> ColumnElement[bool]:
    """Whether an output is compared at all: not ignored, and no placeholder of the sentinel."""
    return and_(func.coalesce(output.ignore, False).is_(False), unindexed(output.id) > 0)


def differs(file: Any = ResultFile, output: Any = RegressionTestOutput) -> ColumnElement[bool]:
    """Return whether a compared output's row reads `diff_mismatch`."""
    seen = func.coalesce(file.got, file.expected)
    accepted = or_(
        func.coalesce(exact(output.correct) == exact(seen), False),
        exists().where(
            AcceptedVariant.regression_test_output_id == output.id,
            exact(AcceptedVariant.file_hashes) == exact(seen),
        ),
    )
    suspicious = or_(
        file.got.is_not(None),
        exists().where(
            BaselineRevocation.output_id == file.regression_test_output_id,
            BaselineRevocation.file_hash == file.expected,
            exact(BaselineRevocation.file_hash) == exact(file.expected),
        ),
    )
    return and_(suspicious, ~accepted)


def expected_rc() -> ColumnElement[int]:
    """The exit code expected of a `Result` joined to its `RegressionTest`."""
    return func.coalesce(Result.expected_rc, RegressionTest.expected_rc, 0)


def wrong_exit() -> ColumnElement[bool]:
    """Return whether a `Result` joined to its `RegressionTest` ended with a wrong exit code."""
    return or_(Result.exit_code.is_(None), Result.exit_code != expected_rc())


def has_sample(test: Any = RegressionTest) -> ColumnElement[bool]:
    """Return whether a regression test has a sample; one without belongs to no run's set."""
    found: ColumnElement[bool] = test.sample_id.is_not(None)
    return found


def in_set(
    run_id: Any = Result.test_id, regression_id: Any = Result.regression_test_id
) -> ColumnElement[bool]:
    """Return whether a run's result, of a joined `RegressionTest`, belongs to the run's set: it
    does unless a recorded set leaves it out."""
    recorded = aliased(CustomizedTest)
    return and_(
        has_sample(),
        or_(
            ~exists().where(recorded.test_id == run_id, recorded.regression_id.is_not(None)),
            exists().where(
                CustomizedTest.test_id == run_id, CustomizedTest.regression_id == regression_id
            ),
        ),
    )


def is_missing(output: Any = RegressionTestOutput) -> ColumnElement[bool]:
    """Return whether a `Result` should have `output` and has no row for it."""
    return and_(
        output.regression_id == Result.regression_test_id,
        takes_part(output),
        ~exists()
        .where(
            ResultFile.test_id == Result.test_id,
            ResultFile.regression_test_id == Result.regression_test_id,
            ResultFile.regression_test_output_id == output.id,
        )
        # Also two levels up: SQLAlchemy correlates to the next one only by itself.
        .correlate(Result, output),
    )


def _outputs_without_row() -> Select[Any]:
    output = aliased(RegressionTestOutput)
    return select(output.id).where(is_missing(output)).correlate(Result)


def is_differing(file: Any = ResultFile, output: Any = RegressionTestOutput) -> ColumnElement[bool]:
    """Return whether `file` is a `Result`'s row of `output`, and reads `diff_mismatch`."""
    return and_(
        file.test_id == Result.test_id,
        file.regression_test_id == Result.regression_test_id,
        file.regression_test_output_id == output.id,
        output.regression_id == Result.regression_test_id,
        takes_part(output),
        differs(file, output),
    )


def _differing_outputs() -> Select[Any]:
    file, output = aliased(ResultFile), aliased(RegressionTestOutput)
    return (
        select(output.id)
        .select_from(file)
        .join(output, output.id == file.regression_test_output_id)
        .where(is_differing(file, output))
        .correlate(Result)
    )


def is_missing_all() -> ColumnElement[bool]:
    """Return whether the sentinel alone tells that a `Result` produced nothing."""
    return and_(_has_sentinel(), ~_outputs_without_row().exists())


def _has_sentinel() -> ColumnElement[bool]:
    return exists().where(
        ResultFile.test_id == Result.test_id,
        ResultFile.regression_test_id == Result.regression_test_id,
        ResultFile.regression_test_output_id == SENTINEL_OUTPUT,
        exact(ResultFile.got) == exact(literal(SENTINEL_GOT)),
    )


def fails() -> ColumnElement[bool]:
    """Return whether a `Result` joined to its `RegressionTest` reads `fail` or `missing_output`."""
    return or_(
        wrong_exit(),
        _outputs_without_row().exists(),
        _differing_outputs().exists(),
        _has_sentinel(),
    )


def status_of_result() -> ColumnElement[str]:
    """The status of a `Result` joined to its `RegressionTest`."""
    return case(
        (or_(_outputs_without_row().exists(), _has_sentinel()), ResultStatus.missing_output.value),
        (or_(wrong_exit(), _differing_outputs().exists()), ResultStatus.fail.value),
        else_=ResultStatus.passed.value,
    )


def status_in_run(
    run_has_ended: ColumnElement[bool], is_running: ColumnElement[bool]
) -> ColumnElement[str]:
    """The status of a `RegressionTest` in a run, joined to its `Result` there (outer)."""
    return case(
        (Result.test_id.is_not(None), status_of_result()),
        (run_has_ended, ResultStatus.skipped.value),
        (is_running, ResultStatus.running.value),
        else_=ResultStatus.not_started.value,
    )


def _count(rows: Select[Any]) -> Any:
    return rows.with_only_columns(func.count()).scalar_subquery()


def result_verdicts(*conditions: ColumnElement[bool]) -> Select[Any]:
    """One row per result that belongs to its run's set and meets `conditions`: `test_id`,
    `regression_test_id`, `runtime`, `exit_code`, `expected_exit_code`, `wrong_exit` (0 or 1),
    `differing` and `missing` (how many outputs; the sentinel counts where none other is missing),
    `status` (the words of ResultStatus) and `errors` (its entries in the error list)."""
    counted = (
        select(
            Result.test_id,
            Result.regression_test_id,
            Result.runtime,
            Result.exit_code,
            expected_rc().label("expected_exit_code"),
            _count(_outputs_without_row()).label("without_row"),
            _count(_differing_outputs()).label("differing"),
            case((_has_sentinel(), 1), else_=0).label("sentinel"),
            case((wrong_exit(), 1), else_=0).label("wrong_exit"),
        )
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(in_set(), *conditions)
        .subquery("counted")
    )
    c = counted.c
    missing = case((and_(c.sentinel == 1, c.without_row == 0), 1), else_=c.without_row)
    status = case(
        (missing > 0, literal(ResultStatus.missing_output.value)),
        (or_(c.wrong_exit == 1, c.differing > 0), literal(ResultStatus.fail.value)),
        else_=literal(ResultStatus.passed.value),
    )
    return select(
        c.test_id,
        c.regression_test_id,
        c.runtime,
        c.exit_code,
        c.expected_exit_code,
        c.wrong_exit,
        c.differing,
        missing.label("missing"),
        status.label("status"),
        (c.wrong_exit + c.differing + missing).label("errors"),
    )


def has_set_member_without_result() -> ColumnElement[bool]:
    """Return whether the recorded set of `Run` has a test without a result."""
    member = aliased(RegressionTest)
    return exists().where(
        CustomizedTest.test_id == Run.id,
        CustomizedTest.regression_id == member.id,
        has_sample(member),
        ~exists()
        .where(Result.test_id == Run.id, Result.regression_test_id == member.id)
        .correlate(Run, member),
    )


def status_of_run(last: Any) -> ColumnElement[str]:
    """The status of `Run`, joined to its `last` progress and its RunRecord (both outer)."""
    of_run = (
        select(Result.test_id)
        .join(RegressionTest, RegressionTest.id == Result.regression_test_id)
        .where(Result.test_id == Run.id, in_set())
        .correlate(Run)
    )
    return case(
        (last.id.is_(None), RunStatus.queued.value),
        (last.status == TestStatus.canceled, RunStatus.canceled.value),
        (
            func.coalesce(last.status != TestStatus.completed, True),
            case((waits(last), RunStatus.queued.value), else_=RunStatus.running.value),
        ),
        (~of_run.exists(), RunStatus.error.value),
        (of_run.where(fails()).exists(), RunStatus.fail.value),
        (has_set_member_without_result(), RunStatus.incomplete.value),
        else_=RunStatus.passed.value,
    )


def last_progress_id(run_id: Any = Run.id) -> Any:
    """The id of a run's newest progress row, or NULL."""
    return (
        select(func.max(Progress.id))
        .where(Progress.test_id == run_id)
        .correlate_except(Progress)
        .scalar_subquery()
    )


def waits(last: Any, record: Any = RunRecord) -> ColumnElement[bool]:
    """Whether a run whose last progress is `last` lost its lease and waits for its next attempt.

    Never NULL where there is a last progress, so that it can be negated.
    """
    return lease_ran_out(last.id, record)


def lease_ran_out(progress_id: Any, record: Any = RunRecord) -> ColumnElement[bool]:
    """Whether the attempt that wrote a run's newest progress, of this id, has lost its lease.

    Never NULL where there is one.
    """
    return and_(
        record.held_progress_id.is_not(None),
        is_not_leased(record),
        record.held_progress_id == progress_id,
    )


def is_not_leased(record: Any = RunRecord) -> ColumnElement[bool]:
    """Return whether nobody holds a lease on a run at this moment."""
    return or_(record.lease_expires_at.is_(None), record.lease_expires_at < utc_now())
