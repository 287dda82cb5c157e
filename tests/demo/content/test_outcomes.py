"""What a run of the good commit and one of the regressed commit show."""

import re
from collections.abc import Iterator

from demo.content import Demo, DemoOutput, DemoTest
from demo.content.execution import Executed

TIMES = re.compile(rb"[0-9]{2}:[0-9]{2}:[0-9]{2}[,.][0-9]{3}")


def compared(demo: Demo, executed: list[Executed]) -> Iterator[tuple[DemoTest, DemoOutput, str]]:
    for test, done in zip(demo.tests, executed, strict=True):
        for output in test.outputs:
            yield test, output, outcome(output, done.outputs.get(output.filename))


def outcome(output: DemoOutput, got: bytes | None) -> str:
    expected = output.expected.read_bytes()
    if got is None:
        return "missing"
    if got == expected:
        return "equal"
    if got in [variant.read_bytes() for variant in output.variants]:
        return "variant"
    if TIMES.sub(b"", got) == TIMES.sub(b"", expected):
        return "timing"
    return "text"


def test_the_catalogue_is_as_large_as_a_demo_needs(demo):
    categories = {category for test in demo.tests for category in test.categories}
    used = {test.sample for test in demo.tests}

    assert len(demo.samples) >= 7
    assert len(demo.tests) >= 14
    assert len(categories) >= 4
    assert used == {sample.name for sample in demo.samples}
    assert all(sample.tags for sample in demo.samples)
    assert {test.input_type for test in demo.tests} == {"file", "stdin"}
    assert {test.output_type for test in demo.tests} == {"file", "stdout", "null", "report"}


def test_the_good_commit_gives_every_expected_output_and_nothing_else(demo, run_of_good_commit):
    for test, done in zip(demo.tests, run_of_good_commit, strict=True):
        assert done.exit_code == test.expected_exit_code, test.description
        not_written = [output for output in test.outputs if output.filename not in done.outputs]
        assert set(done.outputs) <= {output.filename for output in test.outputs}
        assert all(output.ignore for output in not_written)
        assert not_written == ([test.outputs[0]] if "-12" in test.command else [])
    found = {(how, output.ignore) for _, output, how in compared(demo, run_of_good_commit)}
    assert found == {("equal", False), ("equal", True), ("missing", True)}


def test_the_regressed_commit_shows_every_outcome_of_an_output(demo, run_of_regressed_commit):
    shown = {(how, output.ignore) for _, output, how in compared(demo, run_of_regressed_commit)}

    wanted = {("equal", False), ("variant", False), ("timing", False), ("text", False)}
    assert shown >= wanted | {("missing", False), ("text", True)}


def test_the_regressed_commit_ends_one_test_with_a_wrong_exit_code(demo, run_of_regressed_commit):
    wrong = [
        (test.sample, done.exit_code)
        for test, done in zip(demo.tests, run_of_regressed_commit, strict=True)
        if done.exit_code != test.expected_exit_code
    ]

    assert wrong == [("silent-film.mp4", 0)]


def test_some_tests_of_the_regressed_commit_pass_only_by_a_variant_or_an_ignored_output(
    demo, run_of_regressed_commit
):
    outcomes: dict[str, set[tuple[str, bool]]] = {}
    for test, output, how in compared(demo, run_of_regressed_commit):
        outcomes.setdefault(test.description, set()).add((how, output.ignore))

    assert {("variant", False)} in outcomes.values()
    assert {("equal", False), ("text", True)} in outcomes.values()


def test_more_than_half_of_the_tests_pass_on_the_regressed_commit(demo, run_of_regressed_commit):
    failing = {
        test.description
        for test, output, how in compared(demo, run_of_regressed_commit)
        if how not in ("equal", "variant") and not output.ignore
    }

    assert 4 <= len(failing) < len(demo.tests) / 2
