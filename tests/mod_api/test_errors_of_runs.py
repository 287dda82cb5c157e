"""The error list of a run and its groups, which agree with the summary always."""

from datetime import UTC, datetime

import pytest

from mod_auth.scopes import Scope
from mod_test.models import Outcome
from tests import factories
from tests.factories import Expected, digest
from tests.raw import Raw
from tests.sql import counted

GROUPINGS = ("type", "sample_id", "regression_id", "category", "severity")
ENDED = ("preparation", "testing", "completed")


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", Scope.RUNS_READ, Scope.RESULTS_READ)


def errors(client, reader, run, **query) -> dict:
    response = client.get(f"/api/v1/runs/{run.id}/errors", query_string=query, headers=reader)
    assert response.status_code == 200, response.json
    return response.json


def summary(client, reader, run, **query) -> dict:
    path = f"/api/v1/runs/{run.id}/error-summary"
    response = client.get(path, query_string=query, headers=reader)
    assert response.status_code == 200, response.json
    return response.json


def record(raw: Raw, run, test, outcome: Outcome, **values) -> None:
    """What our runner reported of a result beyond the given table."""
    row = {"recorded_at": "2026-01-02 00:00:00", **values}
    row |= {"test_id": run.id, "regression_test_id": test.id, "outcome": outcome.value}
    columns = ", ".join(f"`{name}`" for name in row)
    places = ", ".join(["?"] * len(row))
    raw.execute(
        f"INSERT INTO result_record ({columns}) VALUES ({places})",
        list(row.values()),
    )


def run_with_every_error():
    """A run with two wrong exit codes, two differing and two missing outputs, beside passes."""
    fine, ignored = factories.regression_test(), Expected(ignore=True)
    wrong = factories.regression_test(outputs=[])
    worse = factories.regression_test(outputs=[Expected(filename="news.srt"), Expected(), ignored])
    run = factories.run(progress=ENDED)
    factories.result(run, fine)
    factories.result(run, wrong, exit_code=1)
    factories.result(
        run, worse, exit_code=None,
        outputs={worse.outputs[0]: digest("other"), worse.outputs[2]: digest("ignored")},
    )  # fmt: skip
    sample = worse.sample
    variant = factories.regression_test(
        sample=sample, outputs=[Expected(variants=[digest("variant")]), Expected()]
    )
    factories.result(
        run, variant,
        outputs={variant.outputs[0]: digest("variant"), variant.outputs[1]: digest("more")},
    )  # fmt: skip
    silent = factories.regression_test(sample=sample)
    factories.result(run, silent, outputs={})
    return run, wrong, worse, variant, silent


def test_there_is_one_entry_per_wrong_exit_code_differing_and_missing_output(
    app, client, reader
) -> None:
    run, wrong, worse, variant, silent = run_with_every_error()

    page = errors(client, reader, run)

    first, second = worse.outputs[:2]
    assert [(entry["error_id"], entry["type"], entry["message"]) for entry in page["data"]] == [
        (f"{run.id}-{wrong.id}-exit", "exit_code_mismatch", "Exit code 1, expected 0."),
        (f"{run.id}-{worse.id}-exit", "exit_code_mismatch", "No exit code, expected 0."),
        (
            f"{run.id}-{worse.id}-out-{first.id}",
            "diff_mismatch",
            f"Output {first.id} (news.srt) differs from its baseline.",
        ),
        (
            f"{run.id}-{worse.id}-out-{second.id}",
            "missing_output",
            f"Output {second.id} (output.srt) is missing.",
        ),
        (
            f"{run.id}-{variant.id}-out-{variant.outputs[1].id}",
            "diff_mismatch",
            f"Output {variant.outputs[1].id} (output.srt) differs from its baseline.",
        ),
        (
            f"{run.id}-{silent.id}-out-{silent.output.id}",
            "missing_output",
            f"Output {silent.output.id} (output.srt) is missing.",
        ),
    ]
    assert {entry["severity"] for entry in page["data"]} == {"error"}
    assert page["data"][0]["location"]["exit_code"] == 1
    assert page["data"][2]["location"] == {
        "output_id": first.id,
        "filename": "news.srt",
        "expected_hash": first.correct,
        "expected_hash_at_run": first.correct,
        "actual_hash": digest("other"),
    }
    assert page["pagination"]["total"] == 6


@pytest.mark.parametrize("severity", [None, "info", "warning", "error", "critical"])
def test_list_groups_and_summary_count_the_same(app, client, reader, raw, severity) -> None:
    run, wrong, *_ = run_with_every_error()
    record(raw, run, wrong, Outcome.signal, signal="SIGSEGV")
    asked = {"severity": severity} if severity else {}

    total = errors(client, reader, run, **asked)["pagination"]["total"]
    told = client.get(f"/api/v1/runs/{run.id}/summary", headers=reader).json["error_count"]

    assert total == {None: told, "error": told - 1, "critical": 1}.get(severity, 0)
    for grouping in GROUPINGS:
        page = summary(client, reader, run, group_by=grouping, **asked)
        assert sum(bucket["count"] for bucket in page["data"]) == total
        assert page["pagination"]["total"] == len(page["data"])


def test_the_sentinel_is_one_missing_output_where_no_other_is_missing(app, client, reader) -> None:
    matched = factories.regression_test()
    missing = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, matched)
    factories.sentinel(run, matched)
    factories.result(run, missing, outputs={})
    factories.sentinel(run, missing)

    page = errors(client, reader, run)

    assert [(entry["error_id"], entry["message"], entry["location"]) for entry in page["data"]] == [
        (f"{run.id}-{matched.id}-out", "The test produced no output.", None),
        (
            f"{run.id}-{missing.id}-out-{missing.output.id}",
            f"Output {missing.output.id} (output.srt) is missing.",
            page["data"][1]["location"],
        ),
    ]
    assert page["data"][1]["location"]["actual_hash"] is None


@pytest.mark.parametrize(
    ("outcome", "told", "message"),
    [
        (Outcome.signal, {"signal": "SIGSEGV"}, "The test was ended by SIGSEGV."),
        (Outcome.time_limit, {}, "The test was stopped at its time limit."),
        (Outcome.memory_limit, {"message": "It took too much"}, "It took too much."),
    ],
)
def test_a_killed_test_reads_otherwise_than_a_wrong_exit_code(
    app, client, reader, raw, outcome, told, message
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test, exit_code=None)
    record(raw, run, test, outcome, **told)

    (entry,) = errors(client, reader, run)["data"]

    assert (entry["type"], entry["severity"]) == ("test_failure", "critical")
    assert entry["message"] == message
    assert entry["location"]["outcome"] == outcome.value


KILLED = [
    ("linux", -11, 1000, "The test was ended by SIGSEGV."),
    ("linux", -9, 1000, "The test was ended by SIGKILL."),
    ("linux", 132, 1000, "The test was ended by SIGILL."),
    ("linux", 134, 1000, "The test was ended by SIGABRT."),
    ("linux", 135, 1000, "The test was ended by SIGBUS."),
    ("linux", 136, 1000, "The test was ended by SIGFPE."),
    ("linux", 137, 1000, "The test was ended by SIGKILL."),
    ("linux", 139, 1000, "The test was ended by SIGSEGV."),
    ("linux", 143, 1000, "The test was ended by SIGTERM."),
    ("linux", -1, 61_000, "The test was stopped at its time limit."),
    ("linux", -1, 1234, "The test was stopped at its time limit."),
    ("windows", -1, 600_000, "The test was stopped at its time limit."),
    ("windows", -11, 1000, "The test was ended by SIGSEGV."),
    ("windows", -1073741819, 1000, "The test crashed with 0xC0000005 (access violation)."),
    ("windows", -529697949, 1000, "The test crashed with 0xE06D7363."),
    ("windows", -200, 1000, "The test was ended with -200."),
]
OF_THE_PROGRAM = [
    ("linux", 1, 1000),
    ("linux", 128, 1000),
    ("linux", 133, 1000),
    ("linux", 255, 1000),
    ("windows", -1, 1234),
    ("windows", -1, 0),
    ("windows", -1, None),
    ("windows", 139, 1000),
]


@pytest.mark.parametrize(("platform", "exit_code", "runtime", "message"), KILLED)
def test_an_exit_code_of_an_existing_worker_tells_what_killed_a_test(
    app, client, reader, platform, exit_code, runtime, message
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED, platform=platform)
    factories.result(run, test, exit_code=exit_code, runtime=runtime)

    (entry,) = errors(client, reader, run, type="test_failure", severity="critical")["data"]

    assert (entry["severity"], entry["message"]) == ("critical", message)
    assert entry["location"]["exit_code"] == exit_code
    assert errors(client, reader, run, type="exit_code_mismatch")["data"] == []
    assert errors(client, reader, run, severity="error")["data"] == []
    (bucket,) = summary(client, reader, run, group_by="type")["data"]
    assert (bucket["key"], bucket["severity"]) == ("test_failure", "critical")
    of_run = client.get(f"/api/v1/runs/{run.id}/samples/{test.id}", headers=reader).json
    assert (of_run["status"], of_run["result_message"]) == ("fail", message)
    assert of_run["outcome"] == entry["location"]["outcome"]


@pytest.mark.parametrize(("platform", "exit_code", "runtime"), OF_THE_PROGRAM)
def test_other_exit_codes_of_an_existing_worker_are_the_programs_own(
    app, client, reader, platform, exit_code, runtime
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED, platform=platform)
    factories.result(run, test, exit_code=exit_code, runtime=runtime)

    (entry,) = errors(client, reader, run)["data"]

    assert (entry["type"], entry["severity"]) == ("exit_code_mismatch", "error")
    assert entry["message"] == f"Exit code {exit_code}, expected 0."
    of_run = client.get(f"/api/v1/runs/{run.id}/samples/{test.id}", headers=reader).json
    assert (of_run["outcome"], of_run["result_message"]) == (None, entry["message"])


@pytest.mark.parametrize(
    ("platform", "exit_code", "outcome", "type"),
    [
        ("linux", 139, Outcome.exited, "exit_code_mismatch"),
        ("linux", 1, Outcome.exited, "exit_code_mismatch"),
        ("windows", -1073741819, Outcome.exited, "test_failure"),
        ("windows", -1, Outcome.exited, "exit_code_mismatch"),
        ("linux", None, Outcome.signal, "test_failure"),
    ],
)
def test_of_our_runners_what_they_say_decides_but_for_a_crash_of_windows(
    app, client, reader, raw, platform, exit_code, outcome, type
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED, platform=platform)
    factories.result(run, test, exit_code=exit_code)
    record(raw, run, test, outcome)

    (entry,) = errors(client, reader, run)["data"]

    assert entry["type"] == type


def test_a_negative_exit_code_that_a_test_itself_returned_is_a_wrong_exit_code(
    app, client, reader, raw
) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test, exit_code=-1)
    record(raw, run, test, Outcome.exited)

    (entry,) = errors(client, reader, run)["data"]

    assert (entry["type"], entry["message"]) == ("exit_code_mismatch", "Exit code -1, expected 0.")


def test_filters_select_by_type_severity_sample_and_regression_test(app, client, reader) -> None:
    run, wrong, worse, variant, silent = run_with_every_error()
    of_sample = {worse.id, variant.id, silent.id}

    def tests(**query) -> list[int]:
        page = errors(client, reader, run, **query)
        assert page["pagination"]["total"] == len(page["data"])
        return [entry["regression_id"] for entry in page["data"]]

    assert tests(type="missing_output") == [worse.id, silent.id]
    assert tests(type="test_failure") == tests(severity="critical") == tests(severity="info") == []
    assert set(tests(sample_id=worse.sample.id)) == of_sample
    assert tests(sample_id=worse.sample.id, type="diff_mismatch") == [worse.id, variant.id]
    assert tests(regression_id=wrong.id) == [wrong.id]
    assert tests(sample_id=2_147_483_647) == []


def test_pages_by_offset_and_by_cursor_are_the_whole_list(app, client, reader) -> None:
    run, *_ = run_with_every_error()
    whole = [entry["error_id"] for entry in errors(client, reader, run)["data"]]

    by_offset, offset = [], 0
    while offset is not None:
        page = errors(client, reader, run, limit=4, offset=offset)
        by_offset += [entry["error_id"] for entry in page["data"]]
        offset = page["pagination"]["next_offset"]
    by_cursor, cursor = [], {}
    while cursor is not None:
        page = errors(client, reader, run, limit=1, **cursor)
        by_cursor += [entry["error_id"] for entry in page["data"]]
        following = page["pagination"]["next_cursor"]
        cursor = {"cursor": following} if following else None

    assert by_offset == by_cursor == whole


def test_an_error_that_arrives_during_a_walk_by_cursor_repeats_and_hides_none(
    app, client, reader
) -> None:
    early, late = factories.regression_test(), factories.regression_test()
    last = factories.regression_test()
    run = factories.run(progress=["testing"])
    factories.result(run, late, exit_code=1)
    factories.result(run, last, exit_code=1)
    first = errors(client, reader, run, limit=1)

    factories.result(run, early, exit_code=1)
    rest = errors(client, reader, run, cursor=first["pagination"]["next_cursor"])

    assert [entry["regression_id"] for entry in first["data"] + rest["data"]] == [late.id, last.id]


def test_a_cursor_of_another_run_or_filter_is_refused(app, client, reader) -> None:
    run, *_ = run_with_every_error()
    other, *_ = run_with_every_error()
    cursor = errors(client, reader, run, limit=1)["pagination"]["next_cursor"]

    answers = [
        client.get(f"/api/v1/runs/{of.id}/errors", query_string=query, headers=reader)
        for of, query in (
            (other, {"cursor": cursor}),
            (run, {"cursor": cursor, "severity": "error"}),
            (run, {"cursor": cursor[:-1]}),
        )
    ]

    assert [answer.status_code for answer in answers] == [400] * 3
    assert all("cursor" in answer.json["details"]["fields"] for answer in answers)


def test_an_approval_behind_our_back_takes_the_entry_away(app, client, reader, raw) -> None:
    test = factories.regression_test()
    run = factories.run(progress=ENDED)
    factories.result(run, test, outputs={test.output: digest("new truth")})
    before = errors(client, reader, run)["pagination"]["total"]

    factories.accept_variant(test.output.id, digest("new truth"))

    assert (before, errors(client, reader, run)["data"]) == (1, [])
    assert summary(client, reader, run)["data"] == []


def test_results_outside_a_recorded_set_are_no_errors(app, client, reader) -> None:
    inside, outside = factories.regression_test(), factories.regression_test()
    run = factories.run(progress=ENDED, tests=[inside])
    factories.result(run, inside, exit_code=1)
    factories.result(run, outside, exit_code=1)

    page = errors(client, reader, run)

    assert [entry["regression_id"] for entry in page["data"]] == [inside.id]
    assert page["pagination"]["total"] == 1


def test_an_error_is_dated_by_our_runner_else_by_the_end_else_by_the_creation(
    app, client, reader, raw
) -> None:
    test = factories.regression_test()
    created = datetime(2026, 3, 1, tzinfo=UTC)
    ended, running = (
        factories.run(created_at=created, progress=progress) for progress in (ENDED, ["testing"])
    )
    reported = factories.run(created_at=created, progress=ENDED)
    for run in (ended, running, reported):
        factories.result(run, test, exit_code=1)
    record(raw, reported, test, Outcome.exited, started_at="2026-03-01 00:00:30.250")

    moments = [
        errors(client, reader, run)["data"][0]["occurred_at"] for run in (ended, running, reported)
    ]

    assert moments == [
        "2026-03-01T00:03:00.000Z",
        "2026-03-01T00:00:00.000Z",
        "2026-03-01T00:00:30.250Z",
    ]
    (bucket,) = summary(client, reader, reported)["data"]
    assert bucket["first_seen_at"] == bucket["last_seen_at"] == moments[2]


def test_groups_of_every_kind_name_what_they_hold(app, client, reader, raw) -> None:
    low, high = factories.category("captions"), factories.category("transcripts")
    both = factories.regression_test(categories=[high, low])
    single = factories.regression_test(categories=[high], sample=both.sample)
    bare = factories.regression_test()
    run = factories.run(created_at=datetime(2026, 3, 1, tzinfo=UTC), progress=ENDED)
    factories.result(run, both, exit_code=1, outputs={both.output: digest("differs")})
    factories.result(run, single, exit_code=None)
    record(raw, run, single, Outcome.time_limit, started_at="2026-03-01 00:00:10")
    factories.result(run, bare, outputs={})

    def groups(by: str) -> dict:
        page = summary(client, reader, run, group_by=by)
        return {b["key"]: (b["count"], b["severity"], b["sample_ids"]) for b in page["data"]}

    mine, other = both.sample.id, bare.sample.id
    assert groups("type") == {
        "diff_mismatch": (1, "error", [mine]),
        "exit_code_mismatch": (1, "error", [mine]),
        "missing_output": (1, "error", [other]),
        "test_failure": (1, "critical", [mine]),
    }
    assert groups("sample_id") == {
        str(mine): (3, "critical", [mine]),
        str(other): (1, "error", [other]),
    }
    assert groups("regression_id") == {
        str(both.id): (2, "error", [mine]),
        str(single.id): (1, "critical", [mine]),
        str(bare.id): (1, "error", [other]),
    }
    assert groups("category") == {
        "captions": (2, "error", [mine]),
        "transcripts": (1, "critical", [mine]),
        "none": (1, "error", [other]),
    }
    assert groups("severity") == {
        "error": (3, "error", sorted([mine, other])),
        "critical": (1, "critical", [mine]),
    }
    (seen,) = [
        (b["first_seen_at"], b["last_seen_at"])
        for b in summary(client, reader, run, group_by="sample_id")["data"]
        if b["key"] == str(mine)
    ]
    assert seen == ("2026-03-01T00:00:10.000Z", "2026-03-01T00:03:00.000Z")


def test_groups_come_in_pages_the_largest_first(app, client, reader) -> None:
    run, _, worse, *_ = run_with_every_error()

    whole = summary(client, reader, run, group_by="regression_id")
    walked, offset = [], 0
    while offset is not None:
        page = summary(client, reader, run, group_by="regression_id", limit=3, offset=offset)
        walked += page["data"]
        offset = page["pagination"]["next_offset"]

    assert walked == whole["data"]
    assert whole["data"][0]["key"] == str(worse.id)
    assert [b["count"] for b in whole["data"]] == [3, 1, 1, 1]


def test_a_run_that_is_not_there_has_no_errors_to_list(app, client, reader) -> None:
    for part in ("errors", "error-summary"):
        assert client.get(f"/api/v1/runs/4711/{part}", headers=reader).status_code == 404


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("errors?type=build", "type"),
        ("errors?severity=fatal", "severity"),
        ("errors?sample_id=0", "sample_id"),
        ("errors?limit=101", "limit"),
        ("errors?kind=x", "kind"),
        ("error-summary?group_by=name", "group_by"),
        ("error-summary?type=test_failure", "type"),
    ],
)
def test_wrong_filters_are_named(sqlite_app, client, reader, path, field) -> None:
    run = factories.run()

    answer = client.get(f"/api/v1/runs/{run.id}/{path}", headers=reader)

    assert answer.status_code == 400
    assert list(answer.json["details"]["fields"]) == [field]


@pytest.mark.parametrize("part", ["errors", *(f"error-summary?group_by={g}" for g in GROUPINGS)])
def test_a_hundred_errors_cost_as_many_statements_as_three(app, client, reader, part) -> None:
    test = factories.regression_test(outputs=[Expected()] * 110)
    other = factories.regression_test(outputs=[Expected()] * 3)
    costs = []
    for each in (other, test):
        run = factories.run(progress=ENDED)
        factories.result(run, each, outputs={})
        separator = "&" if "?" in part else "?"
        with counted(app) as statements:
            client.get(f"/api/v1/runs/{run.id}/{part}{separator}limit=100", headers=reader)
        costs.append(len(statements))

    assert costs[0] == costs[1] <= 8


def test_each_error_links_to_what_there_is_to_see(app, client) -> None:
    headers = factories.signed_in("user", "runs:read", "results:read")
    test = factories.regression_test(outputs=[factories.Expected(), factories.Expected()])
    run = factories.run(progress=["testing", "completed"], tests=[test])
    differing, missing = test.outputs
    factories.result(run, test, exit_code=1, outputs={differing: factories.digest("x")})
    path = f"/api/v1/runs/{run.id}"

    of_exit, *of_outputs = client.get(f"{path}/errors", headers=headers).json["data"]
    (row,) = client.get(f"{path}/samples", headers=headers).json["data"]

    assert set(of_exit["links"]) == {"result", "logs", "regression_test"}
    assert of_exit["links"]["result"] == row["links"]["self"] == f"{path}/samples/{test.id}"
    for error, output in zip(of_outputs, row["outputs"], strict=True):
        assert {**error["links"], **output["links"]} == error["links"]
        assert client.get(output["links"]["diff"], headers=headers).status_code == 200
        assert client.get(output["links"]["actual"], headers=headers).status_code == 404
        assert client.get(output["links"]["expected"], headers=headers).status_code == 404
    assert {error["location"]["output_id"] for error in of_outputs} == {differing.id, missing.id}


def test_an_output_that_matches_has_no_links(app, client) -> None:
    headers = factories.signed_in("user", "runs:read")
    test = factories.regression_test()
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test)

    (row,) = client.get(f"/api/v1/runs/{run.id}/samples", headers=headers).json["data"]

    assert "links" not in row["outputs"][0]
