"""Two runs compared: `/runs/{id}/compare`."""

from collections.abc import Callable
from typing import Any

from flask import Flask

from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import RunRow, TestRow, digest
from tests.sql import counted

Get = Callable[..., Any]
ENDED = ("preparation", "testing", "completed")


def ended(tests: dict[TestRow, dict[str, Any] | None], **of_run: Any) -> RunRow:
    """An ended run with a set of tests, and a result of each that is not None."""
    run = factories.run(progress=ENDED, tests=tests, **of_run)
    for test, result in tests.items():
        if result is not None:
            got = result.get("got")
            outputs = dict.fromkeys(test.outputs, got)
            factories.result(run, test, exit_code=result.get("exit_code", 0), outputs=outputs)
    return run


def test_each_test_of_either_run_says_how_it_changed(get: Get) -> None:
    one, other = {"got": digest("one")}, {"got": digest("other")}
    tests = [factories.regression_test() for _ in range(9)]
    fixed, broken, same, different, fine, left, came, gone, nowhere = tests
    before = ended(
        {fixed: one, broken: {}, same: one, different: one, fine: {}, left: {}, gone: {},
         nowhere: None}
    )  # fmt: skip
    after = ended(
        {fixed: {}, broken: one, same: one, different: other, fine: {}, left: None, came: {},
         nowhere: None}
    )  # fmt: skip

    page = get(f"/runs/{after.id}/compare", to=before.id)

    assert {row["regression_id"]: row["change"] for row in page["data"]} == {
        fixed.id: "fixed",
        broken.id: "new_failure",
        same.id: "same_failure",
        different.id: "different_failure",
        fine.id: "same_pass",
        left.id: "not_run",
        came.id: "not_run_in_to",
        gone.id: "not_run",
        nowhere.id: "not_run",
    }
    assert (page["run_id"], page["to"]) == (after.id, before.id)
    assert page["counts"]["not_run"] == 3
    assert sum(page["counts"].values()) == page["pagination"]["total"] == 9
    by_test = {row["regression_id"]: row for row in page["data"]}
    assert (by_test[gone.id]["status"], by_test[gone.id]["to_status"]) == (None, "pass")
    assert (by_test[left.id]["status"], by_test[came.id]["to_status"]) == ("skipped", None)
    changed = by_test[different.id]
    assert changed["failure_signature"] == changed["to_failure_signature"]
    assert (changed["failure_content"], changed["to_failure_content"]) == (
        digest("other")[:16],
        digest("one")[:16],
    )
    only = get(f"/runs/{after.id}/compare", to=before.id, change="fixed")
    assert [row["regression_id"] for row in only["data"]] == [fixed.id]
    assert only["counts"] == page["counts"]


def test_it_compares_with_the_newest_ended_run_of_the_main_branch_before_it(get: Get) -> None:
    test = factories.regression_test()
    ended({test: {}})
    wanted = ended({test: {}}, branch="main")
    ended({test: {}}, platform="windows")
    ended({test: {}}, branch="Master")
    ended({test: {}}, branch="feature")
    ended({test: {}}, pull_request=7)
    ended({test: {}}, repository="somebody/ccextractor")
    factories.run(progress=["testing"], tests=[test])
    run = ended({test: {"exit_code": 1}}, repository="somebody/ccextractor", branch="topic")
    ended({test: {}})

    page = get(f"/runs/{run.id}/compare")

    assert page["to"] == wanted.id
    assert page["counts"]["new_failure"] == 1


def test_what_cannot_be_compared_is_not_found(get: Get) -> None:
    test = factories.regression_test()
    first = ended({test: {}})

    get(f"/runs/{first.id}/compare", 404, to=first.id + 1)
    get(f"/runs/{first.id + 1}/compare", 404, to=first.id)
    get(f"/runs/{first.id}/compare", 400, to="0")
    assert get(f"/runs/{first.id}/compare", to=first.id)["counts"]["same_pass"] == 1


def test_the_first_run_of_a_platform_is_compared_with_none(get: Get) -> None:
    test = factories.regression_test()
    ended({test: {}}, platform="windows")
    run = ended({test: {"exit_code": 1}})

    page = get(f"/runs/{run.id}/compare")

    assert (page["run_id"], page["to"]) == (run.id, None)
    assert (page["data"], page["pagination"]["total"]) == ([], 0)
    assert set(page["counts"].values()) == {0}


def test_a_comparison_costs_the_same_for_three_tests_and_a_hundred(get: Get, app: Flask) -> None:
    costs = []
    for number in (3, 100):
        tests = [factories.regression_test() for _ in range(number)]
        ended({test: {"exit_code": 1} for test in tests})
        run = ended({test: {"exit_code": test.id % 3} for test in tests})
        with app.app_context():
            settle_marks()
        with counted(app) as statements:
            page = get(f"/runs/{run.id}/compare", limit=100)
        assert page["pagination"]["total"] == number
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 8
