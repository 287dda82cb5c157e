"""What a report is made of: the errors of a run, told by test, beside the main branch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select

from database import fetch
from mod_api.services.errors import run_errors
from mod_api.services.errors.infrastructure import InfrastructureError
from mod_api.services.errors.infrastructure import errors_of as infrastructure_of
from mod_api.services.report import since
from mod_api.services.report.since import Since
from mod_api.services.runs import run_comparison
from mod_api.services.runs.runs import get_row
from mod_test import catalogue
from mod_test.comparison import Change
from mod_test.counts import RunCounts
from mod_test.errors_of_runs import ErrorFilter, errors_of
from mod_test.errors_of_tests import ErrorType, TestError
from mod_test.flakiness import figure_of
from mod_test.history.reading import outcomes
from mod_test.models import ResultRecord
from mod_test.run_counts import counts_of_run
from mod_test.run_rows import RunRow

# From there on a test is marked as flaky: more than changes from commit to commit explain.
FLAKY = 0.3
MOST_CRASHES = 3  # whose last lines are told
TAIL_LINES = 5
NEW = (Change.new_failure, Change.not_run_in_to)


@dataclass(slots=True)
class Failing:
    """A test that does not pass, and the first of its errors.

    `since` says with which run of the main branch its row of failures began; None for a test that
    does not fail there.
    """

    regression_id: int
    sample_id: int
    command: str
    sample_name: str
    change: str | None
    type: str
    sentence: str
    more_errors: int
    is_flaky: bool = False
    since: Since | None = None
    last_lines: Sequence[str] = ()


@dataclass(slots=True)
class Fixed:
    """A test that fails in the other run and passes in this one."""

    regression_id: int
    sample_id: int
    command: str
    sample_name: str


@dataclass(slots=True)
class Report:
    """All that can be told of a run; the texts cut it to what fits."""

    run: RunRow
    counts: RunCounts
    compared_to: RunRow | None
    new: list[Failing] = field(default_factory=list)
    still_failing: list[Failing] = field(default_factory=list)
    fixed: list[Fixed] = field(default_factory=list)
    infrastructure: list[InfrastructureError] = field(default_factory=list)

    @property
    def failing(self) -> int:
        """How many tests do not pass, those without an output among them."""
        return self.counts.failed + self.counts.missing_output


def gather(run_id: int, *, main_repository: str, most: int) -> Report:
    """The report of a run, beside the newest ended run of the main branch that was started before.

    Of the first `most` failing tests the history is looked at; the others are only counted. A
    constant number of statements, whatever fails. Raises NotFound.
    """
    run = get_row(run_id)
    other, compared = run_comparison.beside_main(run, main_repository)
    changes = {row.regression_id: row.change for row in compared}
    errors = errors_of(run, ErrorFilter())
    report = Report(run, counts_of_run(run), other)
    fixed = [test for test, change in changes.items() if change is Change.fixed]
    for failing in _by_test(errors, changes):
        is_new = failing.change is None or failing.change in NEW
        (report.new if is_new else report.still_failing).append(failing)
    report.fixed = _fixed(fixed)
    shown = [*report.new, *report.still_failing][:most]
    _mark_flaky(shown)
    _add_last_lines(run, shown)
    if other is not None:
        failed_before = shown[len(report.new) :]
        rows = since.rows_of_failures(
            other, main_repository, [each.regression_id for each in failed_before]
        )
        for each in failed_before:
            each.since = rows[each.regression_id]
    if run.infrastructure_errors:
        report.infrastructure = infrastructure_of(run)
    return report


def _by_test(errors: Sequence[TestError], changes: Mapping[int, Change]) -> list[Failing]:
    """The tests that fail, in their order, each with what is said of its first error."""
    found: dict[int, Failing] = {}
    for error, sentence in zip(errors, run_errors.sentences(errors), strict=True):
        known = found.get(error.regression_id)
        if known is not None:
            known.more_errors += 1
            continue
        change = changes.get(error.regression_id)
        found[error.regression_id] = Failing(
            regression_id=error.regression_id,
            sample_id=error.sample_id or 0,  # each test of a set has one
            command=error.command,
            sample_name=error.sample_name or "",
            change=change.value if change else None,
            type=error.type.value,
            sentence=sentence,
            more_errors=0,
        )
    return list(found.values())


def _fixed(tests: Sequence[int]) -> list[Fixed]:
    return [
        Fixed(
            test.regression_id,
            test.sample_id or 0,
            test.command,
            test.sample.name if test.sample else "",
        )
        for test in catalogue.definitions(tests).values()
    ]


def _mark_flaky(failing: Sequence[Failing]) -> None:
    ended_of = outcomes(tuple(sorted(each.regression_id for each in failing)))
    for each in failing:
        figure, _ = figure_of(ended_of[each.regression_id])
        each.is_flaky = figure >= FLAKY


def _add_last_lines(run: RunRow, failing: Sequence[Failing]) -> None:
    """Add what the first crashed tests printed last."""
    crashed = {each.regression_id: each for each in failing if each.type == ErrorType.test_failure}
    some = list(crashed)[:MOST_CRASHES]
    if not some:
        return
    for row in fetch(_TAILS, {"run_id": run.run_id, "tests": some}):
        text = row.stderr_tail or row.tail or row.stdout_tail or ""
        lines = [line for line in text.splitlines() if line.strip()]
        crashed[row.regression_test_id].last_lines = lines[-TAIL_LINES:]


_TAILS = select(
    ResultRecord.regression_test_id,
    ResultRecord.tail,
    ResultRecord.stdout_tail,
    ResultRecord.stderr_tail,
).where(
    ResultRecord.test_id == bindparam("run_id"),
    ResultRecord.regression_test_id.in_(bindparam("tests", expanding=True)),
)
