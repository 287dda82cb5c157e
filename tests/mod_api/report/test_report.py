"""Why a run failed, in a few lines: the same as the lists say, and never long."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mod_api.services.report.texts import MOST_BYTES, code
from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import Expected
from tests.runners import accepted
from tests.sql import counted

ENDED = ("preparation", "testing", "completed")
GOOD = b"1\n00:00:01,000 --> 00:00:02,000\nGood evening.\n"
LATE = b"1\n00:00:01,500 --> 00:00:02,500\nGood evening.\n"
Get = Callable[..., Any]


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "results:read", "system:read")


@pytest.fixture
def ask(client: FlaskClient, reader: dict[str, str]) -> Get:
    def ask(run_id: int, part: str = "report", /, accept: str = "*/*", **query: Any) -> Any:
        headers = {**reader, "Accept": accept}
        response = client.get(f"/api/v1/runs/{run_id}/{part}", query_string=query, headers=headers)
        assert response.status_code == 200, response.text
        return response

    return ask


class Runs:
    """A row of runs of one set: each is told which of its tests fail, and how."""

    def __init__(self, folder: Path, tests: int = 4) -> None:
        self.good = factories.stored_output(folder, GOOD)
        self.late = factories.stored_output(folder, LATE)
        self.tests = [
            factories.regression_test(
                command=f"-out=srt --number {number}",
                outputs=[Expected(self.good, filename="a.srt")],
            )
            for number in range(tests)
        ]

    def run(self, *failing: int, missing: int | None = None, crashed: int | None = None,
            **options: Any) -> int:  # fmt: skip
        run = factories.run(progress=ENDED, **options)
        for place, test in enumerate(self.tests):
            if place == crashed:
                factories.result(run, test, exit_code=-11)
            elif place == missing:
                factories.result(run, test, outputs={})
                factories.sentinel(run, test)
            elif place in failing:
                factories.result(run, test, outputs={test.output: self.late})
            else:
                factories.result(run, test)
        return run.id

    def ids(self, *places: int) -> list[int]:
        return [self.tests[place].id for place in places]


def numbers(entries: list[dict[str, Any]]) -> list[int]:
    return [entry["regression_id"] for entry in entries]


def test_new_ones_come_first_then_those_that_failed_before(
    app: Flask, sample_repository: Path, ask: Get
) -> None:
    runs = Runs(sample_repository)
    before = runs.run(0, 3)
    told = ask(runs.run(0, 1, missing=2)).json

    assert numbers(told["new"]) == runs.ids(1, 2)
    assert numbers(told["still_failing"]) == runs.ids(0)
    assert numbers(told["fixed"]) == runs.ids(3)
    assert told["compared_to"]["run_id"] == before
    assert told["still_failing"][0]["since"] == {"run_id": before, "is_earliest": True}
    assert [entry["since"] for entry in told["new"]] == [None, None]


def test_the_first_line_counts_all_tests_that_fail(
    sqlite_app: Flask, sample_repository: Path, ask: Get
) -> None:
    run = Runs(sample_repository).run(0, missing=2)

    first = ask(run, format="text").text.splitlines()[0]

    assert "fail. 2 of 4 tests fail (1 without an output), 2 passed, 0 skipped." in first


def test_it_says_the_same_as_the_lists(app: Flask, sample_repository: Path, ask: Get) -> None:
    runs = Runs(sample_repository, 6)
    every = [runs.run(0), runs.run(1, 2, missing=3), runs.run(2, crashed=5), runs.run(),
             runs.run(0, 1, 2, 3, branch="topic", pull_request=3)]  # fmt: skip
    for run in every:
        told = ask(run, limit=200).json
        summary = ask(run, "summary").json
        errors = ask(run, "errors", limit=100).json["data"]
        compared = ask(run, "compare", limit=100).json
        failing = [*told["new"], *told["still_failing"]]

        assert told["failing"] == summary["fail_count"] + summary["missing_output_count"]
        assert sorted(numbers(failing)) == sorted({error["regression_id"] for error in errors})
        assert told["total"] == summary["total_samples"]
        assert (told["compared_to"] or {}).get("run_id") == compared["to"]
        if compared["to"] is not None:
            of = compared["counts"]
            assert len(told["new"]) == of["new_failure"]
            assert len(told["still_failing"]) == of["same_failure"] + of["different_failure"]
            assert len(told["fixed"]) == of["fixed"]
        messages = {error["regression_id"]: error["message"] for error in errors[::-1]}
        assert {one["regression_id"]: one["sentence"] for one in failing} == messages


@pytest.mark.parametrize(
    ("accept", "format", "kind"),
    [
        ("*/*", None, "application/json"),
        ("text/markdown", None, "text/markdown"),
        ("text/plain", None, "text/plain"),
        ("text/html", None, "application/json"),
        ("text/plain", "markdown", "text/markdown"),
    ],
)
def test_the_form_is_chosen_by_format_then_by_accept(
    sqlite_app: Flask, sample_repository: Path, ask: Get, accept: str, format: str | None, kind: str
) -> None:
    run = Runs(sample_repository).run(0)

    answer = ask(run, accept=accept, **({"format": format} if format else {}))

    assert answer.mimetype == kind


@pytest.mark.parametrize("form", ["json", "markdown", "text"])
def test_it_is_cut_to_4_kb_with_a_count(
    sqlite_app: Flask, sample_repository: Path, ask: Get, form: str
) -> None:
    runs = Runs(sample_repository, 60)
    run = runs.run(*range(60))

    short, whole = ask(run, format=form), ask(run, format=form, limit=200)

    assert len(short.data) <= MOST_BYTES + 1
    assert len(whole.data) > MOST_BYTES
    if form == "json":
        told = short.json
        assert len(told["new"]) + told["left_out"] == 60
        assert len(told["new"]) > 5
    else:
        assert "more: GET" in short.text
        assert "more: GET" not in whole.text


@pytest.mark.parametrize("form", ["json", "markdown", "text"])
def test_long_and_hostile_commands_keep_it_short(
    sqlite_app: Flask, sample_repository: Path, ask: Get, form: str
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    hostile = "--out `x` **b** <img src=x> @everyone\n# " + "y" * 10_000
    test = factories.regression_test(command=hostile, outputs=[Expected(good)])
    run = factories.run(progress=ENDED)
    factories.result(run, test, exit_code=3)

    answer = ask(run.id, format=form)

    assert len(answer.data) <= MOST_BYTES
    assert not any(line.startswith("# ") for line in answer.text.splitlines())


def test_a_crash_is_told_with_its_last_lines(
    app: Flask, sample_repository: Path, ask: Get, runners: Any
) -> None:
    factories.regression_test(outputs=[Expected(factories.stored_output(sample_repository, GOOD))])
    factories.run()
    held = runners.claim()
    lines = "\n".join(f"line {number}" for number in range(20))
    accepted(
        held.report(
            held.tests[0], exit_code=None, outcome="signal", signal="SIGSEGV", stderr_tail=lines
        )
    )
    accepted(held.finish())

    told = ask(held.run_id).json

    assert told["new"][0]["last_lines"] == [f"line {number}" for number in range(15, 20)]
    assert "    | line 19" in ask(held.run_id, format="text").text.splitlines()


def test_a_row_of_failures_is_the_main_branchs_own(
    app: Flask, sample_repository: Path, ask: Get
) -> None:
    runs = Runs(sample_repository)
    runs.run()
    first = runs.run(0)
    runs.run(branch="topic", pull_request=3)
    runs.run(platform="windows")
    runs.run(0)
    runs.run(0, 1, branch="other", pull_request=4)
    settle(app)

    told = ask(runs.run(0, 1, branch="topic", pull_request=5)).json

    assert numbers(told["new"]) == runs.ids(1)
    assert told["new"][0]["since"] is None
    assert told["still_failing"][0]["since"] == {"run_id": first, "is_earliest": True}


def test_a_longer_row_than_is_looked_at_says_so(
    app: Flask, sample_repository: Path, ask: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mod_api.services.report.since.MOST_RUNS", 3)
    runs = Runs(sample_repository)
    failing = [runs.run(0) for _ in range(6)]
    settle(app)
    last = runs.run(0)

    told = ask(last).json

    assert told["still_failing"][0]["since"] == {"run_id": failing[2], "is_earliest": False}
    assert f"Fails since run {failing[2]} or earlier." in ask(last, format="text").text


def test_last_lines_are_those_of_new_crashes(
    app: Flask, sample_repository: Path, ask: Get, runners: Any
) -> None:
    good = factories.stored_output(sample_repository, GOOD)
    tests = [factories.regression_test(outputs=[Expected(good)]) for _ in range(5)]

    def crash(*places: int) -> int:
        factories.run()
        held = runners.claim()
        for place, test in enumerate(tests):
            end: dict[str, Any] = {"exit_code": None, "outcome": "signal", "signal": "SIGSEGV"}
            if place in places:
                accepted(held.report(test.id, **end, stderr_tail=f"test {place}"))
            else:
                accepted(held.report(test.id, {test.output.id: GOOD}))
        accepted(held.finish())
        return int(held.run_id)

    crash(0, 1, 2, 3)
    told = ask(crash(0, 1, 2, 3, 4)).json

    failing = [*told["new"], *told["still_failing"]]
    lines = {entry["regression_id"]: entry["last_lines"] for entry in failing}
    assert lines[tests[4].id] == ["test 4"]
    assert sum(bool(each) for each in lines.values()) == 3


def test_a_flaky_test_is_marked(sqlite_app: Flask, sample_repository: Path, ask: Get) -> None:
    runs = Runs(sample_repository)
    same = factories.commit_of("the same")
    for place in range(10):
        runs.run(*([1] if place % 2 else []), commit=same)

    told = ask(runs.run(0, 1)).json

    flaky = {
        entry["regression_id"]: entry["is_flaky"]
        for entry in [*told["new"], *told["still_failing"]]
    }
    assert flaky == dict(zip(runs.ids(0, 1), [False, True], strict=True))


def test_infrastructure_is_told_apart(app: Flask, ask: Get) -> None:
    factories.regression_test()
    run = factories.run(progress=["preparation", ("canceled", "Error: git")])

    told = ask(run.id).json

    assert told["failing"] == 0
    assert [error["message"] for error in told["infrastructure"]] == ["Error: git"]
    assert "no test is at fault" in ask(run.id, format="text").text


def settle(app: Flask) -> None:
    with app.app_context():
        settle_marks()


def test_as_many_statements_however_many_tests_fail(
    app: Flask, sample_repository: Path, ask: Get
) -> None:
    few = Runs(sample_repository, 3)
    few_run = few.run(0)
    few.run()
    settle(app)
    ask(few_run)
    with counted(app) as of_few:
        ask(few_run)
    many = Runs(sample_repository, 40)
    many_run = many.run(*range(40), crashed=39, missing=38)
    settle(app)
    ask(many_run)
    with counted(app) as of_many:
        ask(many_run)

    assert len(of_many) <= 16
    assert len(of_many) - len(of_few) <= 3


@pytest.mark.parametrize("text", ["plain", "`", "a``b", "`a`", "", "```` x"])
def test_a_code_span_holds_any_text(text: str) -> None:
    span = code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]

    assert span.endswith(fence)
    assert fence not in text.replace(" ", "x") or not text


def test_json_is_what_the_schema_says(sqlite_app: Flask, sample_repository: Path, ask: Get) -> None:
    told = ask(Runs(sample_repository).run(0)).json

    assert (
        json.dumps(told["counts"], sort_keys=True) == '{"fixed": 0, "new": 1, "still_failing": 0}'
    )
