"""Arbitrary histories: what hypothesis makes up, and how it is written in raw SQL.

Ids are fixed, so that two databases with the same world give the same answers.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.factories import digest
from tests.raw import Raw

HASHES = [digest(text) for text in ("one", "two", "three")]
COMMITS = ["a" * 40, "b" * 40]
STATUSES = ["preparation", "testing", "completed", "canceled"]
SENTINEL = -1
NOW = "2026-01-01 00:00:00"
FIRST_SAMPLE, FIRST_TEST, FIRST_OUTPUT, FIRST_RUN = 11, 21, 101, 301
CATEGORY = 51


@dataclass
class Output:
    """One output of a regression test."""

    id: int
    correct: str | None
    ignore: bool | None
    variants: list[str | None]
    revoked: list[str]


@dataclass
class Test:
    """A regression test."""

    id: int
    sample: int | None
    active: bool | None
    expected_rc: int | None
    categorized: bool
    outputs: list[Output]

    __test__ = False  # not a test class, whatever its name


@dataclass
class Result:
    """What a run has of a regression test; `files` maps outputs to `expected` and `got`."""

    exit_code: int | None
    expected_rc: int | None
    runtime: int | None
    killed: bool | None
    sentinel: bool
    files: dict[int, tuple[str, str | None]]


@dataclass
class Run:
    """A run; `chosen` is its recorded set, `lost` whether its lease is, `at` what it is doing."""

    id: int
    commit: str
    windows: bool
    progress: list[str]
    chosen: list[int | None]
    results: dict[int, Result]
    lost: bool
    at: list[int]


@dataclass
class World:
    """Everything that the given tables hold of a history."""

    tests: list[Test]
    runs: list[Run]

    @property
    def samples(self) -> list[int]:
        return [FIRST_SAMPLE, FIRST_SAMPLE + 1]


hashes = st.sampled_from(HASHES)
maybe = st.sampled_from([None, True, False])
codes = st.sampled_from([0, 0, 0, 1, -1, -11, 139, None])


@st.composite
def outputs(draw: st.DrawFn, number: int) -> Output:
    return Output(
        id=number,
        correct=draw(st.sampled_from([HASHES[0], HASHES[0], HASHES[1], None])),
        ignore=draw(st.sampled_from([False, False, None, True])),
        variants=draw(st.lists(st.sampled_from([*HASHES, None]), max_size=1)),
        revoked=draw(st.lists(hashes, max_size=1)),
    )


@st.composite
def tests(draw: st.DrawFn, place: int) -> Test:
    first = FIRST_OUTPUT + 10 * place
    return Test(
        id=FIRST_TEST + place,
        sample=draw(st.sampled_from([FIRST_SAMPLE, FIRST_SAMPLE, FIRST_SAMPLE + 1, None])),
        active=draw(st.sampled_from([True, None, False])),
        expected_rc=draw(st.sampled_from([0, 0, 1, None])),
        categorized=draw(st.booleans()),
        outputs=[draw(outputs(first + n)) for n in range(draw(st.integers(0, 2)))],
    )


@st.composite
def results(draw: st.DrawFn, test: Test, all_outputs: list[Output]) -> Result:
    of_test = [output for output in test.outputs if draw(st.integers(0, 3))]
    # Now and then a row of another test's output, which counts for nothing.
    foreign = draw(st.lists(st.sampled_from(all_outputs), max_size=1)) if all_outputs else []
    got = st.sampled_from([None, None, *HASHES, "error", "Error", "error "])
    return Result(
        exit_code=draw(codes),
        expected_rc=draw(st.sampled_from([0, 0, 1, None])),
        runtime=draw(st.sampled_from([1000, 2000, None])),
        killed=draw(st.sampled_from([None, None, False, True])),
        sentinel=draw(st.integers(0, 5)) == 0,
        files={output.id: (draw(hashes), draw(got)) for output in [*of_test, *foreign]},
    )


@st.composite
def runs(draw: st.DrawFn, place: int, all_tests: list[Test]) -> Run:
    all_outputs = [output for test in all_tests for output in test.outputs]
    ids = [test.id for test in all_tests]
    reported = [test for test in all_tests if draw(st.integers(0, 3))]
    ends = st.sampled_from([[], ["completed"], ["completed"], ["canceled"]])
    return Run(
        id=FIRST_RUN + place,
        commit=draw(st.sampled_from(COMMITS)),
        windows=draw(st.integers(0, 3)) == 0,
        progress=draw(st.lists(st.sampled_from(STATUSES), max_size=2)) + draw(ends),
        chosen=draw(st.one_of(st.just([]), st.lists(st.sampled_from([*ids, None]), max_size=4))),
        results={test.id: draw(results(test, all_outputs)) for test in reported},
        lost=draw(st.booleans()),
        at=draw(st.lists(st.sampled_from(ids), max_size=1)),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Any history of up to three regression tests in up to four runs."""
    made = [draw(tests(place)) for place in range(draw(st.integers(1, 3)))]
    return World(made, [draw(runs(place, made)) for place in range(draw(st.integers(1, 4)))])


def write(world: World, raw: Raw) -> None:
    """Write a world into empty tables, as programs do that know nothing of ours."""
    for statement, params in _statements(world):
        raw.execute(statement, params)


def _statements(world: World) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield "INSERT INTO fork (id, github) VALUES (1, 'https://github.com/o/n.git')", ()
    yield f"INSERT INTO category (id, name, description) VALUES ({CATEGORY}, 'c', '')", ()
    for sample in world.samples:
        yield (
            "INSERT INTO sample (id, sha, extension, original_name) VALUES (?, ?, 'ts', 'x')",
            (sample, digest(str(sample))),
        )
    yield (
        "INSERT INTO regression_test_output (id, correct_extension) VALUES (?, '')",
        (SENTINEL,),
    )
    for test in world.tests:
        yield from _test(test)
    for run in world.runs:
        yield from _run(run)


def _test(test: Test) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield (
        "INSERT INTO regression_test (id, sample_id, command, expected_rc, active)"
        " VALUES (?, ?, '-x', ?, ?)",
        (test.id, test.sample, test.expected_rc, test.active),
    )
    if test.categorized:
        for _ in range(2):  # the table has no key: a row may be there twice
            yield (
                "INSERT INTO regression_test_category (regression_id, category_id) VALUES (?, ?)",
                (test.id, CATEGORY),
            )
    for output in test.outputs:
        yield (
            "INSERT INTO regression_test_output (id, regression_id, correct, correct_extension,"
            " `ignore`) VALUES (?, ?, ?, '.srt', ?)",
            (output.id, test.id, output.correct, output.ignore),
        )
        for variant in output.variants:
            yield accepting(output.id, variant)
        for file_hash in dict.fromkeys(output.revoked):
            yield revoking(output.id, file_hash)


def accepting(output_id: int, file_hash: str | None) -> tuple[str, tuple[object, ...]]:
    return (
        "INSERT INTO regression_test_output_files (regression_test_output_id, file_hashes)"
        " VALUES (?, ?)",
        (output_id, file_hash),
    )


def revoking(output_id: int, file_hash: str) -> tuple[str, tuple[object, ...]]:
    return (
        "INSERT INTO baseline_revocation (output_id, file_hash, revoked_at) VALUES (?, ?, ?)",
        (output_id, file_hash, NOW),
    )


def _run(run: Run) -> Iterator[tuple[str, tuple[object, ...]]]:
    platform = "windows" if run.windows else "linux"
    yield (
        "INSERT INTO test (id, platform, test_type, token, fork_id, branch, `commit`, pr_nr)"
        " VALUES (?, ?, 'commit', ?, 1, 'master', ?, 0)",
        (run.id, platform, f"t{run.id}", run.commit),
    )
    yield (
        "UPDATE run_record SET created_at = ? WHERE test_id = ?",
        (f"2026-01-01 00:{run.id % 60:02}:00.000000", run.id),
    )
    for place, status in enumerate(run.progress):
        yield (
            "INSERT INTO test_progress (id, test_id, status, timestamp, message)"
            " VALUES (?, ?, ?, ?, 'Canceled by somebody')",
            (run.id * 10 + place, run.id, status, NOW),
        )
    if run.lost and run.progress:
        yield (
            "UPDATE run_record SET held_progress_id = ? WHERE test_id = ?",
            (run.id * 10 + len(run.progress) - 1, run.id),
        )
    yield (
        "INSERT INTO run_attempt (test_id, number, platform, runner_name, credential_hash,"
        " claimed_at, deadline_at, running_tests) VALUES (?, 1, ?, 'r', '', ?, ?, ?)",
        (run.id, platform, NOW, NOW, json.dumps(run.at)),
    )
    for regression_id in run.chosen:
        yield (
            "INSERT INTO customized_test (test_id, regression_id) VALUES (?, ?)",
            (run.id, regression_id),
        )
    for regression_id, result in run.results.items():
        yield from _result(run.id, regression_id, result)


def _result(
    run_id: int, regression_id: int, result: Result
) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield (
        "INSERT INTO test_result (test_id, regression_test_id, runtime, exit_code, expected_rc)"
        " VALUES (?, ?, ?, ?, ?)",
        (run_id, regression_id, result.runtime, result.exit_code, result.expected_rc),
    )
    files: dict[int, tuple[str, str | None]] = dict(result.files)
    if result.sentinel:
        files[SENTINEL] = ("", "error")
    for output_id, (expected, got) in files.items():
        yield (
            "INSERT INTO test_result_file (test_id, regression_test_id, regression_test_output_id,"
            " expected, got) VALUES (?, ?, ?, ?, ?)",
            (run_id, regression_id, output_id, expected, got),
        )
    if result.killed is not None:
        yield (
            "INSERT INTO result_record (test_id, regression_test_id, outcome, recorded_at)"
            " VALUES (?, ?, ?, ?)",
            (run_id, regression_id, "time_limit" if result.killed else "exited", NOW),
        )
