"""One output of a run as a file: what was expected, what came out."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from errors import NotFound
from mod_api.services.outputs.downloads import FileAccess
from mod_api.services.outputs.embedded_content import inline
from mod_api.services.outputs.file_names import filename_of, hash_of, output_key
from mod_api.services.runs.runs import get_row
from mod_ci import attempts
from mod_test import outputs
from mod_test.outputs import ComparedOutput
from mod_test.result_messages import NO_RESULT
from mod_test.rollup.settle import settled_reading
from mod_test.run_results import results_of
from mod_test.verdict import OutputStatus, ResultStatus


@dataclass(frozen=True)
class Address:
    """Which output of which run is meant."""

    run_id: int
    sample_id: int
    regression_id: int
    output_id: int


def expected(address: Address, *, as_text: bool, shelf: FileAccess) -> dict[str, Any]:
    """Return the baseline that the output was compared with, as a file.

    Raises NotFound, with `missing_expected` where there is no such file, and Unavailable.
    """
    with settled_reading():
        output = find(address)
    missing = OutputStatus.missing_expected
    return _file(output, output.baseline_hash, missing, as_text=as_text, shelf=shelf)


def actual(address: Address, *, as_text: bool, shelf: FileAccess) -> dict[str, Any] | None:
    """Return the actual output as a file; None if it matched.

    Raises NotFound, with `missing_output` where nothing came out, `not_started`, `running` or
    `skipped` where the test has no result, and `missing_actual` where the file is lost, and
    Unavailable.
    """
    with settled_reading():
        output = find(address)
        without = None if output.has_row else status_without_result(output)
    if not output.has_row:
        message = f"There is no output {address.output_id} in this run."
        if without is not None:
            message = NO_RESULT[without].format(address.regression_id)
        code = without or OutputStatus.missing_output
        raise NotFound("output", address.output_id, message, code=code)
    if output.actual_hash is None:
        return None
    return _file(output, output.actual_hash, "missing_actual", as_text=as_text, shelf=shelf)


def find(address: Address) -> ComparedOutput:
    """The output that is meant, within the caller's unit of work. Raises NotFound."""
    run = get_row(address.run_id)
    return outputs.find(run, address.sample_id, address.regression_id, address.output_id)


def status_without_result(output: ComparedOutput) -> ResultStatus | None:
    """Return the status of a test without a result in the run; None if it has one."""
    run = get_row(output.run_id)
    running = attempts.running_tests(run)
    for result in results_of(run, [output.regression_id], running=running):
        if not result.row.has_result:
            return result.row.status
    return None


def _file(
    output: ComparedOutput,
    content_hash: str | None,
    missing: str,
    *,
    as_text: bool,
    shelf: FileAccess,
) -> dict[str, Any]:
    key = output_key(content_hash, output.extension)
    lost = NotFound(
        "file", output.output_id, f"The file of output {output.output_id} is in no storage.",
        code=missing,
    )  # fmt: skip
    filename = filename_of(output.expected_filename, output.extension)
    found = inline(shelf, key, filename, as_text=as_text, missing=lost)
    return {
        "run_id": output.run_id,
        "sample_id": output.sample_id,
        "regression_id": output.regression_id,
        "output_id": output.output_id,
        "sha256": content_hash,
        "expected_hash_at_run": hash_of(output.expected),
        **dataclasses.asdict(found),
    }
