"""The catalogue: `/regression-tests` and `/regression-tests/{id}`."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from tests import factories
from tests.factories import Expected, digest
from tests.raw import Raw
from tests.sql import counted

Get = Callable[..., Any]


def test_a_regression_test_shows_what_it_should_produce(get: Get, sample_repository: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nÄrger\n".encode()
    baseline = factories.stored_output(sample_repository, text)
    variant = digest("another spelling")
    test = factories.regression_test(
        outputs=[
            Expected(correct=baseline, filename="../out/news.srt", variants=[variant, "no hash"]),
            Expected(correct=None, ignore=True),
        ],
        categories=[factories.category("news")],
        active=None,
        expected_rc=None,
    )

    found = get(f"/regression-tests/{test.id}")
    as_text = get(f"/regression-tests/{test.id}", format="text")
    (listed,) = get("/regression-tests")["data"]

    first, second = found["expected_outputs"]
    assert (found["active"], found["category"], found["expected_exit_code"]) == (True, "news", 0)
    assert base64.b64decode(first["content"]) == text
    assert (first["filename"], first["sha256"]) == ("news.srt", baseline)
    assert (first["storage_status"], first["truncated"]) == ("ok", False)
    assert first["accepted_variants"] == [variant]
    assert first["run_id"] is None
    assert (second["storage_status"], second["ignored"], second["content"]) == ("missing", True, "")
    assert "sha256" not in second
    assert as_text["expected_outputs"][0]["content"] == text.decode()
    assert as_text["expected_outputs"][0]["encoding"] == "utf-8"
    assert listed["expected_outputs"][0] == {**first, "content": "", "truncated": True}


def test_a_baseline_with_a_hostile_name_is_in_no_storage(get: Get, sample_repository: Path) -> None:
    test = factories.regression_test(
        outputs=[
            Expected(correct="../../etc/passwd"),
            Expected(extension="/../../x"),
            Expected(correct="\N{SNOWMAN}" * 64),
        ]
    )

    for output in get(f"/regression-tests/{test.id}")["expected_outputs"]:
        assert output["storage_status"] == "missing"
        assert output["content"] == ""
        assert output["download_url"] is None


def test_the_catalogue_is_filtered(get: Get, raw: Raw) -> None:
    tag, news, late = factories.tag("live%"), factories.category("news"), factories.category("late")
    sample = factories.sample(tags=[tag])
    on = factories.regression_test(sample=sample, categories=[news, late])
    off = factories.regression_test(sample=sample, active=False, categories=[late])
    unset = factories.regression_test(active=None)
    lost = factories.regression_test()
    raw.execute("UPDATE regression_test SET sample_id = NULL WHERE id = ?", (lost.id,))

    def found(**query: Any) -> list[int]:
        page = get("/regression-tests", **query)
        assert page["pagination"]["total"] == len(page["data"])
        return [test["regression_id"] for test in page["data"]]

    assert found() == [on.id, off.id, unset.id]
    assert found(active="true") == [on.id, unset.id]
    assert found(active="false") == [off.id]
    assert found(category="late") == [on.id, off.id]
    assert found(category="LATE") == found(category="lat%") == []
    assert found(tag="live%") == [on.id, off.id]
    assert found(tag="live_") == []
    assert found(sample_id=sample.id, active="true") == [on.id]
    get("/regression-tests", 400, active="yes")
    get(f"/regression-tests/{lost.id}", 404)
    get(f"/regression-tests/{lost.id + 1}", 404)


def test_the_list_costs_the_same_for_three_tests_and_a_hundred(get: Get, app: Flask) -> None:
    costs = []
    for number in (3, 97):
        for _ in range(number):
            factories.regression_test(categories=[factories.category()])
        with counted(app) as statements:
            assert len(get("/regression-tests", limit=100)["data"]) >= number
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 6
