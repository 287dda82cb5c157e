"""What happened in a run: a matter of its number only, whatever the size of the database.

About 70 of 100 runs have one to six failing results, 2 were canceled, some have no results or lack
some, the newest wait or are being executed. Four of ten were asked for over the API and executed by
our runners; the others are the existing site's.
"""

import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from bench.contents import hash_of
from bench.definitions import (
    ALWAYS_FAILING,
    BRANCHES,
    DIFFERENCES,
    FORKS,
    SENTINEL,
    VARIANTS,
    Definitions,
    Output,
    Row,
    Rows,
    Test,
    branch_name,
    moment,
)
from bench.sizes import Size

NEWEST = datetime(2026, 11, 1, tzinfo=UTC)  # when the newest run was asked for
BETWEEN = timedelta(minutes=10)
NEVER = "2099-01-01 00:00:00.000000"  # when the leases of running runs expire
TABLES = (
    "test", "run_record", "test_fork", "customized_test", "test_progress", "progress_record",
    "run_attempt", "test_result", "test_result_file", "result_record", "gcp_instance",
    "audit_event",
)  # fmt: skip
FAIL_AT_TIMES = 240  # the first tests, as many as the smallest real size has: the same everywhere
RUNNERS = ("runner-a", "runner-b", "runner-c")
STACK = ["Traceback (most recent call last):", '  File "builder.py", line 7, in build', "OSError"]


@dataclass
class Ids:
    """The next ids of the tables that count."""

    progress: "count[int]" = field(default_factory=lambda: count(1))
    attempt: "count[int]" = field(default_factory=lambda: count(1))
    member: "count[int]" = field(default_factory=lambda: count(1))
    requester: "count[int]" = field(default_factory=lambda: count(1))
    record: "count[int]" = field(default_factory=lambda: count(1))
    event: "count[int]" = field(default_factory=lambda: count(1))


@dataclass(frozen=True)
class Facts:
    """What a run is, and how it went: `course` names that."""

    number: int
    platform: str
    fork_id: int
    branch: str
    pull_request: int
    ours: bool
    course: str
    created: datetime
    lost_first: bool
    retries: int | None

    @property
    def has_results(self) -> bool:
        return self.course not in ("queued", "error", "build_failed")


def facts(number: int, size: Size) -> Facts:
    """The facts of run `number`, from 1."""
    dice = random.Random(number)  # noqa: S311  the same run each time
    platform = "linux" if dice.random() < 0.6 else "windows"
    fork_id = 1 if dice.random() < 0.85 else dice.randint(2, FORKS)
    pull_request = 1 + number // 4 if dice.random() < 0.35 else 0
    branch = 0 if dice.random() < 0.4 and not pull_request else dice.randint(1, BRANCHES)
    ours = dice.random() < 0.4
    fate = dice.random()
    lost_first, repeats = dice.random() < 0.03, dice.random() < 0.05
    left = size.runs - number
    if left < size.queued:
        course = "queued"
    elif left < size.queued + size.running:
        course = "running"
    else:
        course = _course(fate, ours)
    return Facts(
        number=number,
        platform=platform,
        fork_id=fork_id,
        branch=branch_name(branch),
        pull_request=pull_request,
        ours=ours,
        course=course,
        created=NEWEST - BETWEEN * left,
        lost_first=ours and lost_first,
        retries=max(1, number - 3) if ours and repeats and number > 3 else None,
    )


def _course(fate: float, ours: bool) -> str:
    bounds = {"canceled": 0.012, "build_failed": 0.024, "error": 0.029, "incomplete": 0.039}
    found = next((name for name, bound in bounds.items() if fate < bound), "completed")
    return "completed" if found == "incomplete" and not ours else found


def rows(run: Facts, definitions: Definitions, ids: Ids) -> Rows:
    """The rows of one run, by table; every table of TABLES is there."""
    made: Rows = {name: [] for name in TABLES}
    dice = random.Random(-run.number)  # noqa: S311  the same results each time
    made["test"].append(
        (run.number, run.platform, "pr" if run.pull_request else "commit",
         hashlib.sha256(b"secret %d" % run.number).hexdigest(), run.fork_id, run.branch,
         hashlib.sha1(b"commit %d" % (run.number // 2), usedforsecurity=False).hexdigest(),
         run.pull_request)
    )  # fmt: skip
    attempt_id = _progress(run, made, ids)
    tests = _chosen(run, definitions, dice)
    if run.ours:
        number = run.number
        made["test_fork"].append((next(ids.requester), 1 + number % 14, number))
        made["customized_test"] += [(next(ids.member), number, test.id) for test in tests]
        made["audit_event"].append(
            (next(ids.event), moment(run.created), 1 + number % 14, f"developer-{number % 14}",
             "run.retried" if run.retries else "run.started", "run", number, "{}")
        )  # fmt: skip
    if run.has_results:
        _results(run, _reached(run, tests), made, ids, attempt_id, dice)
    return made


def _chosen(run: Facts, definitions: Definitions, dice: random.Random) -> list[Test]:
    """The tests of a run: all, or a few of a run that repeats the failures of another."""
    tests = list(definitions.active)
    return sorted(dice.sample(tests, 10), key=lambda test: test.id) if run.retries else tests


def _reached(run: Facts, tests: list[Test]) -> list[Test]:
    """The tests of which there are results."""
    parts = {"running": 2, "canceled": 3, "incomplete": 20}
    part = parts.get(run.course)
    if part is None:
        return tests
    return tests[: -max(1, len(tests) // part)]


def _progress(run: Facts, made: Rows, ids: Ids) -> int | None:
    """Progress, record and attempts of a run; the id of the attempt that brought its results."""
    if run.course == "queued":
        _record(run, made, attempts=0, held=None, is_held=False)
        return None
    if not run.ours:
        _progress_of_site(run, made, ids)
        return None
    at = run.created + timedelta(minutes=1)
    number = 1
    if run.lost_first:
        _attempt(run, made, ids, 1, at, "lease_expired", None)
        at += timedelta(minutes=4)
        number = 2
    ends = {"running": None, "canceled": "canceled", "build_failed": "build_failed"}
    attempt_id = _attempt(run, made, ids, number, at, ends.get(run.course, "completed"), run.course)
    held = int(str(made["test_progress"][-1][0]))
    failed = run.lost_first + (run.course == "build_failed")
    _record(run, made, attempts=number, failed=failed, held=held, is_held=run.course == "running")
    return attempt_id


def _progress_of_site(run: Facts, made: Rows, ids: Ids) -> None:
    end = {
        "running": [],
        "canceled": [("canceled", "Canceled by user maintainer")],
        "build_failed": [("canceled", "Build failed: cmake exited with 2")],
    }.get(run.course, [("completed", "Ran all tests")])
    at = run.created
    for status, message in [
        ("preparation", "Loaded variables, created log file and building CCExtractor"),
        ("testing", "Running tests"),
        *end,
    ]:
        at += timedelta(minutes=3)
        made["test_progress"].append((next(ids.progress), run.number, status, moment(at), message))
    if run.course == "running":
        made["gcp_instance"].append((f"vm-{run.number}", run.number, moment(at), None))
    _record(run, made, attempts=0, held=None, is_held=False)


def _attempt(
    run: Facts, made: Rows, ids: Ids, number: int, at: datetime, end: str | None, course: str | None
) -> int:
    """An attempt and its progress; `course` None: it was lost right after its claim."""
    attempt_id = next(ids.attempt)
    runner = RUNNERS[run.number % 3]
    steps: list[tuple[str, str, int | None, str]] = [
        ("preparation", f"Attempt {number}: taken by {runner}.", 0, "worker")
    ]
    failed = course == "build_failed"
    if course is not None:
        steps.append(("preparation", "Checking out the commit.", 1, "worker"))
        steps.append(("preparation", "Building.", 3, "worker"))
        if not failed:
            steps.append(("testing", "Running the regression tests.", 4, "worker"))
    last = {
        "completed": ("completed", "All regression tests were run.", 5, "worker"),
        "canceled": ("canceled", "Canceled by developer-3: not needed", None, "person"),
        "build_failed": ("canceled", "The build failed: cmake exited with 2", None,
                         "infrastructure"),
    }  # fmt: skip
    if end in last:
        steps.append(last[end])
    for minutes, (status, message, step, cause) in enumerate(steps):
        progress_id = next(ids.progress)
        when = moment(at + timedelta(minutes=minutes))
        made["test_progress"].append((progress_id, run.number, status, when, message))
        account_id = 3 if cause == "person" else None
        made["progress_record"].append((progress_id, cause, account_id, attempt_id, step))
    ended = None if end is None else moment(at + timedelta(minutes=len(steps) - 1))
    stage = None if course is None else "build" if failed else "test" if not end else "finish"
    made["run_attempt"].append(
        (attempt_id, run.number, number, run.platform, runner, 1, f"{attempt_id:064}", moment(at),
         moment(at + timedelta(hours=6)), stage, "[]" if end is None else None, ended, end,
         "build" if failed else None, "The build failed: cmake exited with 2" if failed else None,
         json.dumps(STACK) if failed else None)
    )  # fmt: skip
    return attempt_id


def _record(
    run: Facts, made: Rows, *, attempts: int, held: int | None, is_held: bool, failed: int = 0
) -> None:
    made["run_record"].append(
        (run.number, moment(run.created), attempts, attempts - 1 if attempts > 1 else 0,
         NEVER if is_held else None, held, run.retries,
         "Once more, please" if run.retries else None, run.platform if run.ours else None, failed)
    )  # fmt: skip


def _results(
    run: Facts,
    tests: list[Test],
    made: Rows,
    ids: Ids,
    attempt_id: int | None,
    dice: random.Random,
) -> None:
    number, bits = run.number, dice.getrandbits
    failing = _failures(run, tests, dice)
    by_variant = dice.random() < 0.3
    results, files, records = made["test_result"], made["test_result_file"], made["result_record"]
    at = moment(run.created + timedelta(minutes=5))
    for test in tests:
        kind = failing.get(test.id)
        exit_code: int | None = test.expected_rc
        outcome, signal, tail = "exited", None, None
        if kind == "exit":
            exit_code = 139
        elif kind == "killed":
            exit_code, outcome, signal, tail = None, "signal", "SIGSEGV", "Segmentation fault"
        results.append((number, test.id, test.base_ms + bits(8), exit_code, test.expected_rc))
        if kind == "sentinel":
            files.append((number, test.id, SENTINEL, "", "error"))
        for output in test.outputs:
            if kind == "missing" and not output.ignored:
                continue
            got = _got(output, kind, by_variant, dice)
            files.append((number, test.id, output.id, output.correct, got))
        if attempt_id is not None:
            records.append(
                (next(ids.record), number, test.id, attempt_id, outcome, signal, None, tail, at, at)
            )


def _failures(run: Facts, tests: list[Test], dice: random.Random) -> dict[int, str]:
    """Which tests fail, and how. Low numbers fail more often; one fails in 4 of 10 runs."""
    kinds = ["differs"] * 3 + ["exit", "missing", "killed" if run.ours else "sentinel"]
    failing: dict[int, str] = {}
    if dice.random() < 0.7:
        for _ in range(dice.randint(1, 6)):
            test = tests[int(min(len(tests), FAIL_AT_TIMES) * dice.random() ** 2)]
            failing[test.id] = dice.choice(kinds)
    if dice.random() < 0.4:
        failing.setdefault(ALWAYS_FAILING, "differs")
    return failing


def _got(output: Output, kind: str | None, by_variant: bool, dice: random.Random) -> str | None:
    if kind == "differs":
        return hash_of(output.id, dice.randint(1, DIFFERENCES))
    if by_variant and output.has_variants:
        return hash_of(output.id, VARIANTS[output.id % 2])
    if output.ignored and by_variant:
        return hash_of(output.id, 1)
    return None


def passes_last(size: Size, platform: str) -> int | None:
    """The newest completed run on a platform, by which tests are said to have passed last."""
    for number in range(size.runs, 0, -1):
        run = facts(number, size)
        if run.platform == platform and run.course == "completed":
            return number
    return None


def newest_rows(definitions: Definitions) -> list[Row]:
    """What `last_passed_on_linux` and `last_passed_on_windows` say, then the test's id."""
    linux, windows = (passes_last(definitions.size, name) for name in ("linux", "windows"))
    return [(linux, windows, test.id) for test in definitions.active]
