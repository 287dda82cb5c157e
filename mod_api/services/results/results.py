"""The regression tests of a run and how each ended: listed, filtered, looked at one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import missing

from errors import NotFound
from mod_api.services import links
from mod_api.services.outputs.file_names import filename_of, hash_of
from mod_api.services.paging import Page, page
from mod_api.services.runs.runs import get_row
from mod_ci import attempts
from mod_test.models import ResultRecord
from mod_test.result_messages import result_message
from mod_test.result_rows import OutputRow, ResultRow
from mod_test.run_results import RunResult, results_of
from mod_test.run_rows import RunRow
from mod_test.run_tests import ResultFilter, tests_of
from mod_test.sets import has_test

MOST_OUTPUTS = 20
MOST_TAGS = 50
TAILS = (ResultRecord.tail, ResultRecord.stdout_tail, ResultRecord.stderr_tail)


@dataclass(slots=True)
class OutputView:
    """One output of a result as the API shows it. Text that is no hash is shown as none."""

    output_id: int
    status: str
    filename: str
    expected_hash: str | None
    expected_hash_at_run: str | None
    actual_hash: str | None
    links: Any


@dataclass(slots=True)
class ResultView(ResultRow):
    """One regression test of a run as the API shows it."""

    outputs: list[OutputView]
    ignored_outputs: list[OutputView]
    tags: Sequence[str]
    categories: Sequence[str]
    sample_name: str | None
    result_message: str | None
    links: dict[str, str]
    stdout_tail: str | None = None
    stderr_tail: str | None = None

    @property
    def regression_test_id(self) -> int | None:
        return self.regression_id if self.has_result else None

    @property
    def category(self) -> Any:
        return self.categories[0] if self.categories else missing


def list_results(
    run_id: int, wanted: ResultFilter, *, limit: int, offset: int, base: str
) -> Page[ResultView]:
    """One page of a run's regression tests by their ids, also of those without a result, with the
    exact number of all that match. Raises NotFound."""
    run, running = _run(run_id)
    tests = tests_of(run, wanted, running)
    results = results_of(run, tests[offset : offset + limit], running=running)
    shown = [_view(result, base) for result in results]
    return page(shown, total=len(tests), limit=limit, offset=offset)


def get_result(run_id: int, regression_id: int, *, base: str) -> ResultView:
    """One regression test of a run, with the end of what it printed.

    Raises NotFound for a test that is not in the run's set.
    """
    run, running = _run(run_id)
    found = []
    if has_test(run, regression_id):
        found = results_of(run, [regression_id], running=running, also=TAILS)
    if not found:
        raise NotFound("result", regression_id, run_id=run_id)
    result = found[0]
    view = _view(result, base)
    if result.read is not None:
        view.stdout_tail, view.stderr_tail = result.read.stdout_tail, result.read.stderr_tail
    return view


def _run(run_id: int) -> tuple[RunRow, list[int]]:
    """A run, and the tests at which its runner is. Raises NotFound."""
    run = get_row(run_id)
    return run, attempts.running_tests(run)


def _view(result: RunResult, base: str) -> ResultView:
    row, outputs, definition = result.row, result.outputs, result.definition
    ignored = [output for output in outputs if output.ignored]
    compared = [output for output in outputs if not output.ignored] if ignored else outputs
    return ResultView(
        row.run_id, row.regression_id, row.sample_id, row.command, row.status, row.runtime_ms,
        row.exit_code, row.expected_exit_code, row.wrong_exit, row.outcome, row.signal,
        row.was_killed, row.told, row.tail,
        _shown(row, compared, base),
        _shown(row, ignored, base) if ignored else [],
        definition.sample.tags[:MOST_TAGS] if definition.sample else (),
        definition.categories,
        definition.sample.name if definition.sample else None,
        result_message(row, outputs) if row.told or row.status.is_failure else None,
        links.of_result(row.run_id, row.regression_id, row.sample_id, base),
    )  # fmt: skip


def _shown(row: ResultRow, outputs: Sequence[OutputRow], base: str) -> list[OutputView]:
    """The outputs, those that do not match first, else by id: `sp run output` shows the first.

    Those that match have no links: most do, and there is nothing to be seen.
    """
    if any(output.status != "match" for output in outputs):
        outputs = sorted(outputs, key=lambda output: output.status == "match")
    outputs = outputs[:MOST_OUTPUTS]
    return [
        OutputView(
            output.output_id,
            output.status,
            filename_of(output.expected_filename, output.extension),
            hash_of(output.baseline_hash),
            hash_of(output.expected),
            hash_of(output.actual_hash),
            missing
            if output.status == "match"
            else links.of_output(
                row.run_id, row.sample_id, row.regression_id, output.output_id, base
            ),
        )
        for output in outputs
    ]
