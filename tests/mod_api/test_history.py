"""The history of a sample: `/samples/{id}/history`."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import MATCH, START, Expected, RunRow, TestRow, digest
from tests.raw import Raw
from tests.sql import counted

Get = Callable[..., Any]
ENDED = ("preparation", "testing", "completed")


def ended(test: TestRow, *, got: str | None = MATCH, exit_code: int | None = 0,
          runtime: int | None = 1000, **of_run: Any) -> RunRow:  # fmt: skip
    """An ended run with a result of one test."""
    run = factories.run(progress=ENDED, **of_run)
    factories.result(
        run, test, exit_code=exit_code, runtime=runtime, outputs=dict.fromkeys(test.outputs, got)
    )
    return run


def test_the_history_has_every_ended_run_of_every_test_newest_first(get: Get) -> None:
    sample = factories.sample()
    one, two = (factories.regression_test(sample=sample) for _ in range(2))
    other = factories.regression_test()
    first = ended(one)
    both = factories.run(progress=ENDED, tests=[one, two, other])
    factories.result(both, one, exit_code=1)
    factories.result(both, other)
    canceled = factories.run(progress=["canceled"], tests=[two])
    factories.run(progress=["testing"], tests=[one, two])
    factories.run(tests=[one])

    page = get(f"/samples/{sample.id}/history")

    assert [(e["run_id"], e["regression_id"], e["status"]) for e in page["data"]] == [
        (canceled.id, two.id, "skipped"),
        (both.id, two.id, "skipped"),
        (both.id, one.id, "fail"),
        (first.id, one.id, "pass"),
    ]
    assert page["pagination"]["total"] == 4
    assert page["data"][2]["commit_sha"] == both.commit
    assert get(f"/samples/{factories.sample().id}/history")["data"] == []
    get(f"/samples/{sample.id + 9}/history", 404)


def test_tests_of_one_run_come_in_one_order_whatever_the_page(get: Get) -> None:
    sample = factories.sample()
    tests = [factories.regression_test(sample=sample) for _ in range(3)]
    runs = [factories.run(progress=ENDED) for _ in range(3)]
    for run in runs:
        for test in tests:
            factories.result(run, test)
    path = f"/samples/{sample.id}/history"

    expected = [(run.id, test.id) for run in reversed(runs) for test in reversed(tests)]

    for limit in (2, 9, 100):
        entries = get(path, limit=limit)["data"]
        found = [(entry["run_id"], entry["regression_id"]) for entry in entries]
        assert found == expected[:limit]


def test_entries_are_filtered_by_their_run_and_by_themselves(get: Get) -> None:
    test = factories.regression_test()
    two = factories.regression_test(sample=test.sample)
    good = ended(test, branch="master", created_at=START)
    bad = ended(test, exit_code=2, branch="Master", created_at=START + timedelta(days=1))
    windows = ended(two, platform="windows", created_at=START + timedelta(days=2))
    later = START + timedelta(days=3)
    canceled = factories.run(progress=["canceled"], tests=[test], created_at=later)
    factories.result(canceled, test)

    def found(**query: Any) -> list[int]:
        page = get(f"/samples/{test.sample.id}/history", **query)
        assert page["pagination"]["total"] == len(page["data"])
        return [entry["run_id"] for entry in page["data"]]

    assert found(status="pass") == [windows.id, good.id]
    assert found(status="fail") == [bad.id]
    assert found(status="canceled") == [canceled.id]
    assert found(status="running") == []
    assert found(result_status="pass") == [canceled.id, windows.id, good.id]
    assert found(result_status="fail") == [bad.id]
    assert found(regression_id=two.id) == [windows.id]
    assert found(branch="Master") == [bad.id]
    assert found(platform="windows") == [windows.id]
    assert found(created_after="2026-01-01T12:00:00Z", platform="linux", status="fail") == [bad.id]
    assert found(created_before="2026-01-01T12:00:00Z") == [good.id]
    get(f"/samples/{test.sample.id}/history", 400, result_status="running")


def test_a_signature_is_the_same_whatever_came_out_and_the_content_differs_with_it(
    get: Get, raw: Raw
) -> None:
    test = factories.regression_test(outputs=[Expected(), Expected(ignore=True)])
    ours = digest("ours"), digest("theirs")
    runs = {
        "a": ended(test, got=ours[0]),
        "a again": ended(test, got=ours[0]),
        "b": ended(test, got=ours[1]),
        "exit 1": ended(test, exit_code=1),
        "exit 2": ended(test, exit_code=2),
        "no exit": ended(test, exit_code=None),
        "both": ended(test, exit_code=1, got=ours[0]),
        "fine": ended(test),
    }
    missing, sentinel = factories.run(progress=ENDED), factories.run(progress=ENDED)
    for run in (missing, sentinel):
        factories.result(run, test, outputs={})
    factories.sentinel(sentinel, test)
    killed = ended(test, exit_code=None)
    raw.execute(
        "INSERT INTO result_record (test_id, regression_test_id, outcome, `signal`, recorded_at)"
        " VALUES (?, ?, 'signal', 'SIGSEGV', '2026-01-01 00:00:00.000')",
        (killed.id, test.id),
    )

    entries = get(f"/samples/{test.sample.id}/history")["data"]
    by_run = {entry["run_id"]: entry["failure_signature"] for entry in entries}
    contents = {entry["run_id"]: entry["failure_content"] for entry in entries}

    signature = {name: by_run[run.id] for name, run in runs.items()}
    assert (
        signature["a"]
        == signature["a again"]
        == signature["b"]
        == f"{test.id}:diff:{test.outputs[0].id}"
    )
    assert {name: contents[run.id] for name, run in runs.items()} == {
        "a": ours[0][:16], "a again": ours[0][:16], "b": ours[1][:16], "both": ours[0][:16],
        "exit 1": None, "exit 2": None, "no exit": None, "fine": None,
    }  # fmt: skip
    assert contents[missing.id] is contents[sentinel.id] is contents[killed.id] is None
    assert signature["fine"] is None
    assert by_run[missing.id] == by_run[sentinel.id] == f"{test.id}:missing:{test.outputs[0].id}"
    assert by_run[killed.id] == f"{test.id}:killed:SIGSEGV"
    different = {*signature.values(), by_run[missing.id], by_run[killed.id]}
    assert len(different) == len(runs) - 2 + 2


def test_a_signature_of_many_failures_fits_and_their_content_tells_them_apart(get: Get) -> None:
    test = factories.regression_test(outputs=[Expected() for _ in range(19)])
    one = ended(test, got=digest("one"))
    two = factories.run(progress=ENDED)
    outputs: dict[Any, str | None] = dict.fromkeys(test.outputs, digest("one"))
    factories.result(two, test, outputs={**outputs, test.outputs[-1]: digest("last")})

    entries = get(f"/samples/{test.sample.id}/history")["data"]

    (signature,) = {entry["failure_signature"] for entry in entries}
    assert len({entry["failure_content"] for entry in entries}) == 2
    assert {entry["run_id"] for entry in entries} == {one.id, two.id}
    assert len(signature) == 255


def test_an_entry_says_how_slow_it_was_by_the_ten_before_it(get: Get) -> None:
    test = factories.regression_test()
    two = factories.regression_test(sample=test.sample)
    first = ended(test, runtime=99_999)
    for runtime in (100, 200, 300, 400, 500, 600, 700, 800, 900, 1000):
        ended(test, runtime=runtime)
        ended(test, runtime=5, platform="windows")
        ended(two, runtime=7)
    ended(test, runtime=None)
    live = factories.run(progress=["testing"])
    factories.result(live, test, runtime=123_456)
    slow = ended(test, runtime=1100)
    canceled = factories.run(progress=["canceled"], tests=[test])

    entries = get(f"/samples/{test.sample.id}/history", limit=100)["data"]

    told = {
        (e["run_id"], e["regression_id"]): (e["runtime_median_ms"], e["runtime_ratio"])
        for e in entries
    }
    assert told[slow.id, test.id] == (550, 2.0)
    assert told[first.id, test.id] == (None, None)
    assert told[canceled.id, test.id] == (650, None)
    only = get(f"/samples/{test.sample.id}/history", regression_id=test.id, limit=1, offset=1)
    assert only["data"][0]["runtime_ratio"] == 2.0


def test_a_test_that_disagrees_with_itself_is_flakier_than_one_that_changed(get: Get) -> None:
    sample = factories.sample()
    flaky, broken, steady, torn = (factories.regression_test(sample=sample) for _ in range(4))
    commit = factories.commit_of("one")
    for number in range(6):
        run = factories.run(progress=ENDED, commit=commit)
        factories.result(run, flaky, exit_code=number % 2)
        factories.result(run, steady)
        other = factories.run(progress=ENDED)
        factories.result(other, broken, exit_code=int(number > 2))
        factories.result(other, torn, exit_code=number % 2)

    page = get(f"/samples/{sample.id}/history")

    figures = {row["regression_id"]: row["flakiness"] for row in page["flakiness"]}
    assert figures == {flaky.id: 0.75, broken.id: 0.05, steady.id: 0.0, torn.id: 0.25}
    assert {row["results"] for row in page["flakiness"]} == {6}


def test_what_an_approval_changes_reads_otherwise_in_the_history(get: Get) -> None:
    test = factories.regression_test()
    got = digest("the new baseline")
    ended(test, got=got)
    path = f"/samples/{test.sample.id}/history"
    before = get(path)["data"][0]

    factories.accept_variant(test.output.id, got)

    after = get(path)["data"][0]
    assert (before["status"], after["status"]) == ("fail", "pass")
    assert before["failure_signature"] is not None
    assert after["failure_signature"] is None
    assert get(path, result_status="fail")["pagination"]["total"] == 0


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("are_settled", [False, True])
def test_a_walk_through_failures_reaches_the_last_one(
    get: Get, app: Flask, number: int, are_settled: bool
) -> None:
    sample = factories.sample()
    tests = [factories.regression_test(sample=sample) for _ in range(number)]
    runs = [ended(tests[0], exit_code=1) for _ in range(7)]
    if are_settled:
        with app.app_context():
            settle_marks()
    walked: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = get(f"/samples/{sample.id}/history", result_status="fail", limit=2, **cursor)
        walked += [entry["run_id"] for entry in page["data"]]
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}

    assert walked == [run.id for run in reversed(runs)]


@pytest.mark.parametrize("limit", [1, 5])
@pytest.mark.parametrize(("canceled", "number"), [(0, 7), (3, 2), (20, 2)])
def test_failures_of_failing_runs_are_all_found_however_many_were_canceled(
    get: Get, app: Flask, canceled: int, number: int, limit: int
) -> None:
    """Nearly all runs with a failing result fail: that is what is looked for first."""
    sample = factories.sample()
    tests = [factories.regression_test(sample=sample) for _ in range(number)]
    failing = []
    for place in range(4):
        run = factories.run(progress=ENDED)
        for test in tests:
            factories.result(run, test, exit_code=1)
            failing.append((run.id, test.id))
        for _ in range(canceled if place in (0, 3) else 0):
            other = factories.run(progress=["testing", "canceled"])
            factories.result(other, tests[0], exit_code=1)
    with app.app_context():
        settle_marks()
    asked = {"status": "fail", "result_status": "fail", "limit": limit}

    found, cursor = [], {}
    while True:
        page = get(f"/samples/{sample.id}/history", **asked, **cursor)
        found += [(entry["run_id"], entry["regression_id"]) for entry in page["data"]]
        assert page["pagination"]["total"] == len(failing)
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}

    assert found == sorted(failing, reverse=True)


def test_ten_results_before_an_entry_are_found_however_far_back(
    get: Get, app: Flask, raw: Raw
) -> None:
    test = factories.regression_test()
    runs = [ended(test, runtime=100 * number) for number in range(1, 13)]
    last = runs[-1].id
    for place, run in reversed(list(enumerate(runs))):
        raw.execute("UPDATE test SET id = ? WHERE id = ?", (last + 50 * place, run.id))
    with app.app_context():
        settle_marks()

    path = f"/samples/{test.sample.id}/history"
    (newest,) = get(path, limit=1)["data"]
    entries = get(path, limit=50)["data"]

    assert newest["runtime_median_ms"] == entries[0]["runtime_median_ms"] == 650
    assert [entry["runtime_median_ms"] for entry in entries[-3:]] == [150, 100, None]


def test_a_walk_by_cursor_has_each_entry_once_while_runs_arrive(get: Get) -> None:
    sample = factories.sample()
    tests = [factories.regression_test(sample=sample) for _ in range(3)]
    for _ in range(4):
        run = factories.run(progress=ENDED)
        for test in tests:
            factories.result(run, test)
    path = f"/samples/{sample.id}/history"
    there = [(e["run_id"], e["regression_id"]) for e in get(path)["data"]]

    walked, cursor = [], {}
    while True:
        page = get(path, limit=2, **cursor)
        walked += [(e["run_id"], e["regression_id"]) for e in page["data"]]
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
        ended(tests[0])

    assert walked == there
    get(f"/samples/{sample.id + 1}/history", 400, **cursor)
    get(path, 400, result_status="pass", **cursor)


def test_the_history_costs_the_same_for_three_entries_and_a_hundred(get: Get, app: Flask) -> None:
    test = factories.regression_test()
    path = f"/samples/{test.sample.id}/history"
    costs = []
    for number in (3, 97):
        for _ in range(number):
            ended(test, exit_code=1)
        with app.app_context():
            settle_marks()
        get(path, limit=1)  # a process hears of a change once
        with counted(app) as statements:
            get(path, limit=100)
        costs.append(len(statements))

    assert max(costs) <= 6
