"""What a world reads as, by docs/semantics.md alone: written a second time, and otherwise."""

from collections import Counter
from dataclasses import dataclass

from tests.mod_test.generated_histories import Output, Result, Run, Test, World

Error = tuple[int, str, int | None]  # regression test, type, output


@dataclass
class Read:
    """How one regression test of a run reads; without a result it has no outputs."""

    status: str
    outputs: dict[int, str]
    ignored: set[int]
    errors: list[Error]


@dataclass
class RunRead:
    """How a run reads; `asked_for` are the tests that it was meant to have."""

    status: str
    tests: dict[int, Read]
    asked_for: list[int]

    @property
    def has_ended(self) -> bool:
        return self.status not in ("queued", "running")

    @property
    def summary(self) -> dict[str, int]:
        counts = Counter(read.status for read in self.tests.values())
        return {
            "total_samples": len(self.tests),
            "pass_count": counts["pass"],
            "fail_count": counts["fail"],
            "missing_output_count": counts["missing_output"],
            "skipped_count": counts["skipped"] + counts["running"] + counts["not_started"],
            "error_count": len(self.errors),
        }

    @property
    def errors(self) -> list[Error]:
        return [error for read in self.tests.values() for error in read.errors]

    @property
    def run_errors(self) -> str:
        if self.errors or self.status == "error":
            return "yes"
        return "no" if self.has_ended else "unknown"


def read(world: World, run: Run) -> RunRead:
    """How a run of a world reads."""
    known = {test.id: test for test in world.tests if test.sample is not None}
    last = run.progress[-1] if run.progress else None
    ended = last in ("completed", "canceled")
    waits = run.lost and not ended
    live = "queued" if last is None or waits else "running"
    recorded = {chosen for chosen in run.chosen if chosen is not None}
    active = {test.id for test in world.tests if test.active is not False}
    in_set = recorded or set(run.results) | (set() if ended else active)
    asked_for = sorted((recorded or active) & set(known))
    tests = {}
    for regression_id in sorted(in_set & set(known)):
        if regression_id in run.results:
            tests[regression_id] = _result(run, known[regression_id], run.results[regression_id])
        else:
            status = "skipped" if ended else "not_started"
            if live == "running" and not ended and regression_id in run.at:
                status = "running"
            tests[regression_id] = Read(status, {}, set(), [])
    if not ended:
        return RunRead(live, tests, asked_for)
    return RunRead("canceled" if last == "canceled" else _ended(tests), tests, asked_for)


def _ended(tests: dict[int, Read]) -> str:
    statuses = {read.status for read in tests.values()}
    if not statuses - {"skipped"}:
        return "error"
    if statuses & {"fail", "missing_output"}:
        return "fail"
    return "incomplete" if "skipped" in statuses else "pass"


def _was_killed(run: Run, result: Result) -> bool:
    """Whether an existing worker tells by the exit code that it, or a signal, killed a test."""
    if run.windows and result.exit_code == -1:
        return result.runtime is not None  # all of them are whole seconds
    return (result.exit_code or 0) < 0 or (result.exit_code == 139 and not run.windows)


def _result(run: Run, test: Test, result: Result) -> Read:
    outputs, ignored, errors = {}, set(), list[Error]()
    expected_rc = next((rc for rc in (result.expected_rc, test.expected_rc) if rc is not None), 0)
    wrong = result.exit_code is None or result.exit_code != expected_rc
    if wrong:
        dead = result.killed or (result.killed is None and _was_killed(run, result))
        errors.append((test.id, "test_failure" if dead else "exit_code_mismatch", None))
    for output in test.outputs:
        if output.ignore:
            ignored.add(output.id)
            continue
        status = outputs[output.id] = _output(output, result)
        if status != "match":
            errors.append((test.id, status, output.id))
    missing = "missing_output" in outputs.values()
    if result.sentinel and not missing:
        errors.append((test.id, "missing_output", None))
        missing = True
    if missing:
        return Read("missing_output", outputs, ignored, errors)
    return Read("fail" if errors else "pass", outputs, ignored, errors)


def _output(output: Output, result: Result) -> str:
    if output.id not in result.files:
        return "missing_output"
    expected, got = result.files[output.id]
    if got is None and expected not in output.revoked:
        return "match"
    came = expected if got is None else got
    return "match" if came in {output.correct, *output.variants} - {None} else "diff_mismatch"
