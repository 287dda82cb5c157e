"""The regression tests of a run: `/runs/{id}/samples` and `/runs/{id}/samples/{id}`."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from mod_test.rollup.settle import settle_marks
from tests import factories
from tests.factories import MATCH, Expected, digest
from tests.raw import Raw
from tests.sql import counted

Get = Callable[..., Any]
ENDED = ("preparation", "testing", "completed")


def statuses(page: Any) -> dict[int, str]:
    return {row["regression_id"]: row["status"] for row in page["data"]}


def test_an_ended_run_shows_each_test_of_its_set_also_without_a_result(get: Get) -> None:
    passed, failed, missing, skipped, foreign = (factories.regression_test() for _ in range(5))
    run = factories.run(progress=ENDED, tests=[passed, failed, missing, skipped])
    factories.result(run, passed)
    factories.result(run, failed, exit_code=1)
    factories.result(run, missing, outputs={})
    factories.result(run, foreign)

    page = get(f"/runs/{run.id}/samples")

    assert statuses(page) == {
        passed.id: "pass",
        failed.id: "fail",
        missing.id: "missing_output",
        skipped.id: "skipped",
    }
    assert page["pagination"]["total"] == 4
    for status in ("pass", "fail", "missing_output", "skipped", "running", "not_started"):
        only = get(f"/runs/{run.id}/samples", status=status)
        assert statuses(only) == {i: s for i, s in statuses(page).items() if s == status}
        assert only["pagination"]["total"] == len(only["data"])


def test_a_live_run_shows_what_is_running_and_what_has_not_started(
    get: Get, client: FlaskClient
) -> None:
    here, later = factories.regression_test(), factories.regression_test()
    run = factories.run()
    queued = statuses(get(f"/runs/{run.id}/samples"))
    runner = factories.signed_in("admin", "runs:execute")
    claim = client.post(
        "/api/v1/attempts", json={"platform": "linux", "runner_name": "here"}, headers=runner
    ).get_json()
    client.post(
        f"/api/v1/attempts/{claim['attempt_id']}/heartbeat",
        json={"stage": "test", "running": [here.id]},
        headers=factories.bearer(claim["credential"]),
    )

    page = get(f"/runs/{run.id}/samples")

    assert queued == {here.id: "not_started", later.id: "not_started"}
    assert statuses(page) == {here.id: "running", later.id: "not_started"}
    assert statuses(get(f"/runs/{run.id}/samples", status="running")) == {here.id: "running"}
    assert get(f"/runs/{run.id}/samples/{here.id}")["outputs"] == []


def test_outputs_say_how_they_compare_and_the_sentinel_is_never_listed(get: Get) -> None:
    other = digest("a variant")
    test = factories.regression_test(
        outputs=[
            Expected(filename="a.srt"),
            Expected(variants=[other]),
            Expected(),
            Expected(),
            Expected(ignore=True),
            Expected(correct=None),
        ]
    )
    match, variant, different, missing, ignored, unset = test.outputs
    run = factories.run(progress=ENDED, tests=[test])
    got = digest("something else")
    factories.result(
        run, test, outputs={match: MATCH, variant: other, different: got, ignored: got, unset: got}
    )
    factories.sentinel(run, test)

    row = get(f"/runs/{run.id}/samples/{test.id}")

    shown = {o["output_id"]: (o["status"], o["actual_hash"]) for o in row["outputs"]}
    assert shown == {
        match.id: ("match", None),
        variant.id: ("match", other),
        different.id: ("diff_mismatch", got),
        missing.id: ("missing_output", None),
        unset.id: ("diff_mismatch", got),
    }
    assert [o["output_id"] for o in row["outputs"]] == [
        different.id, missing.id, unset.id, match.id, variant.id,
    ]  # fmt: skip
    assert row["outputs"][3]["filename"] == "a.srt"
    assert row["outputs"][0]["expected_hash"] == row["outputs"][0]["expected_hash_at_run"]
    assert [o["output_id"] for o in row["ignored_outputs"]] == [ignored.id]
    assert row["status"] == "missing_output"
    assert row["result_message"] == "One output is missing. 2 outputs differ from their baselines."


def test_text_in_the_tables_that_is_no_hash_is_shown_as_none(get: Get) -> None:
    test = factories.regression_test(outputs=[Expected(correct="../../etc/passwd")])
    run = factories.run(progress=ENDED, tests=[test])
    factories.result(run, test, outputs={test.output: "x" * 5000}, runtime=-5)

    row = get(f"/runs/{run.id}/samples/{test.id}")

    (output,) = row["outputs"]
    assert (output["status"], output["expected_hash"], output["actual_hash"]) == (
        "diff_mismatch", None, None,
    )  # fmt: skip
    assert row["runtime_ms"] == 0


def test_a_result_says_what_went_wrong_in_a_sentence(get: Get, raw: Raw) -> None:
    killed, wrong, none, fine = (factories.regression_test() for _ in range(4))
    run = factories.run(progress=ENDED, tests=[killed, wrong, none, fine])
    for test, code in ((killed, None), (wrong, 1), (none, None), (fine, 0)):
        factories.result(run, test, exit_code=code)
    raw.execute(
        "INSERT INTO result_record (test_id, regression_test_id, outcome, message, tail,"
        " recorded_at) VALUES (?, ?, 'time_limit', 'It took more than 60 s', 'the end',"
        " '2026-01-01 00:00:00.000')",
        (run.id, killed.id),
    )

    rows = {row["regression_id"]: row for row in get(f"/runs/{run.id}/samples")["data"]}

    assert rows[killed.id]["result_message"] == "It took more than 60 s."
    assert rows[killed.id]["outcome"] == "time_limit"
    assert rows[wrong.id]["result_message"] == "Exit code 1, expected 0."
    assert rows[none.id]["result_message"] == "No exit code, expected 0."
    assert rows[fine.id]["result_message"] is None
    assert get(f"/runs/{run.id}/samples/{killed.id}")["tail"] == "the end"
    assert "tail" not in rows[killed.id]


def test_a_result_is_found_by_what_it_belongs_to(get: Get) -> None:
    first, second = factories.category("news"), factories.category("Spörts")
    tag = factories.tag("ünïcode 🎬")
    sample = factories.sample(name="Weather 100%_\\'\"🎬.TS", tags=[tag])
    one = factories.regression_test(sample=sample, categories=[second, first, first])
    two = factories.regression_test(sample=sample)
    other = factories.regression_test(categories=[first])
    run = factories.run(progress=ENDED, tests=[one, two, other])

    def found(**query: Any) -> list[int]:
        page = get(f"/runs/{run.id}/samples", **query)
        assert page["pagination"]["total"] == len(page["data"])
        return [row["regression_id"] for row in page["data"]]

    assert found(category="news") == [one.id, other.id]
    assert found(category="Spörts") == [one.id]
    assert found(category="NEWS") == found(category="Sports") == found(category="new") == []
    assert found(tag="ünïcode 🎬") == [one.id, two.id]
    assert found(tag="ünïcode 🎥") == found(tag="%") == found(tag="unicode 🎬") == []
    for name in ("weather", "100%_", "%_\\", "\\'\"", "🎬", "eather 100"):
        assert found(name=name) == [one.id, two.id], name
    for name in ("%r", "w_ather", "🎥", "\\\\", "wéather"):
        assert found(name=name) == [], name
    assert found(sample_id=sample.id) == [one.id, two.id]
    row = get(f"/runs/{run.id}/samples/{one.id}")
    assert (row["category"], row["categories"]) == ("news", ["news", "Spörts"])
    assert row["tags"] == ["ünïcode 🎬"]
    assert "category" not in get(f"/runs/{run.id}/samples/{two.id}")
    assert get(row["links"]["self"].partition("/api/v1")[2]) == row


def test_what_is_not_of_this_run_is_not_found(get: Get) -> None:
    inside, outside = factories.regression_test(), factories.regression_test()
    run = factories.run(progress=ENDED, tests=[inside])

    get(f"/runs/{run.id}/samples/{inside.id}")
    get(f"/runs/{run.id}/samples/{outside.id}", 404)
    get(f"/runs/{run.id}/samples/{inside.sample.id}", 404)
    get(f"/runs/{run.id + 1}/samples/{inside.id}", 404)
    get(f"/runs/{run.id + 1}/samples", 404)


def test_a_regression_test_without_a_sample_belongs_to_no_set(get: Get, raw: Raw) -> None:
    kept, lost = factories.regression_test(), factories.regression_test()
    recorded = factories.run(progress=ENDED, tests=[kept, lost])
    unrecorded, live = factories.run(progress=ENDED), factories.run()
    for run in (recorded, unrecorded):
        factories.result(run, kept)
    factories.result(unrecorded, lost, exit_code=9)
    before = [get(f"/runs/{run.id}/summary")["total_samples"] for run in (recorded, unrecorded)]
    raw.execute("UPDATE regression_test SET sample_id = NULL WHERE id = ?", (lost.id,))

    assert before == [2, 2]
    for run, status in ((recorded, "pass"), (unrecorded, "pass"), (live, "queued")):
        assert list(statuses(get(f"/runs/{run.id}/samples"))) == [kept.id]
        assert get(f"/runs/{run.id}/summary")["total_samples"] == 1
        assert get(f"/runs/{run.id}")["status"] == status
        get(f"/runs/{run.id}/samples/{lost.id}", 404)


def test_pages_have_each_test_once_and_cost_the_same_for_three_rows_and_a_hundred(
    get: Get, app: Flask
) -> None:
    tags = [factories.tag() for _ in range(3)]
    sample = factories.sample(tags=tags)
    category = factories.category()
    tests = [factories.regression_test(sample=sample, categories=[category]) for _ in range(110)]
    small = factories.run(progress=ENDED, tests=tests[:3])
    large = factories.run(progress=["testing"], tests=tests)
    for test in tests:
        factories.result(large, test, exit_code=test.id % 2)

    with app.app_context():
        settle_marks()
    costs = set()
    for run in (small, large):
        for query in ({"limit": 100}, {"limit": 100, "status": "pass"}, {"offset": 500}):
            with counted(app) as statements:
                get(f"/runs/{run.id}/samples", **query)
            costs.add(len(statements))
    pages = [get(f"/runs/{large.id}/samples", limit=40, offset=o) for o in (0, 40, 80)]

    assert max(costs) <= 8
    ids = [row["regression_id"] for page in pages for row in page["data"]]
    assert ids == [test.id for test in tests]
    assert [page["pagination"]["next_offset"] for page in pages] == [40, 80, None]
