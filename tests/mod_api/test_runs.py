"""Runs over HTTP: listed, looked at, started, canceled, repeated."""

from datetime import UTC, datetime, timedelta

import pytest

from tests import factories
from tests.runners import API, lose_lease, runner

STATUSES = ("queued", "running", "pass", "fail", "canceled", "error", "incomplete")
NEW = {"repository": "CCExtractor/ccextractor", "commit_sha": "A" * 40, "platform": "linux"}
DONE = ("preparation", "testing", "completed")


@pytest.fixture
def reader(site) -> dict[str, str]:
    return factories.signed_in("user", "runs:read")


@pytest.fixture
def tester(site) -> dict[str, str]:
    return factories.signed_in("tester", "runs:write", "runs:read")


def listed(client, reader, **query) -> list[int]:
    response = client.get(f"{API}/runs", query_string=query, headers=reader)
    assert response.status_code == 200, response.json
    found = [row["run_id"] for row in response.json["data"]]
    if "limit" not in query:
        assert response.json["pagination"]["total"] == len(found)
    return found


def get(client, reader, run_id: int, part: str = "") -> dict:
    response = client.get(f"{API}/runs/{run_id}{part}", headers=reader)
    assert response.status_code == 200, response.json
    return response.json


@pytest.fixture
def of_each_status(site) -> dict[str, int]:
    """A run of each of the seven statuses."""
    test, other = factories.regression_test(), factories.regression_test()
    made = {
        "queued": factories.run(tests=[test]),
        "running": factories.run(tests=[test], progress=["preparation", "testing"]),
        "canceled": factories.run(tests=[test], progress=["preparation", "canceled"]),
        "error": factories.run(tests=[test], progress=DONE),
        "pass": factories.run(tests=[test], progress=DONE),
        "fail": factories.run(tests=[test], progress=DONE),
        "incomplete": factories.run(tests=[test, other], progress=DONE),
    }
    factories.result(made["pass"], test)
    factories.result(made["fail"], test, exit_code=1)
    factories.result(made["incomplete"], test)
    factories.result(made["running"], test)
    return {status: run.id for status, run in made.items()}


def test_each_of_the_seven_statuses_is_found_by_its_filter_and_by_no_other(
    app, client, reader, of_each_status
) -> None:
    for status in STATUSES:
        assert listed(client, reader, status=status) == [of_each_status[status]]
        assert get(client, reader, of_each_status[status])["status"] == status
        assert get(client, reader, of_each_status[status], "/summary")["status"] == status
    assert len(listed(client, reader)) == len(STATUSES)


def test_run_errors_say_yes_no_or_unknown(app, client, reader, of_each_status) -> None:
    told = {
        status: get(client, reader, run_id)["run_errors"]
        for status, run_id in of_each_status.items()
    }

    assert told == {
        "queued": "unknown", "running": "unknown", "canceled": "yes", "error": "yes", "pass": "no",
        "fail": "yes", "incomplete": "no",
    }  # fmt: skip
    rows = client.get(f"{API}/runs", headers=reader).json["data"]
    assert {row["status"]: row["run_errors"] for row in rows} == told


def test_counts_of_every_status_add_up(app, client, reader, of_each_status) -> None:
    for run_id in of_each_status.values():
        told = get(client, reader, run_id, "/summary")
        assert told["total_samples"] == (
            told["pass_count"]
            + told["fail_count"]
            + told["missing_output_count"]
            + told["skipped_count"]
        )


def test_every_filter_is_exact(app, client, reader) -> None:
    plain = factories.run(branch="master", commit="a" * 40)
    upper = factories.run(branch="Master", commit="B" * 40, repository="ccextractor/CCExtractor")
    emoji = factories.run(branch="fix-\U0001f600", platform="windows", pull_request=7)
    other = factories.run(branch="fix-\U0001f601", repository="someone/ccextractor")
    spaced = factories.run(branch="master ", pull_request=8)

    assert listed(client, reader, branch="master") == [plain.id]
    assert listed(client, reader, branch="Master") == [upper.id]
    assert listed(client, reader, branch="master ") == [spaced.id]
    assert listed(client, reader, branch="fix-\U0001f600") == [emoji.id]
    assert listed(client, reader, commit_sha="A" * 40) == [plain.id]
    assert listed(client, reader, commit_sha="b" * 40) == [upper.id]
    assert listed(client, reader, repository="someone/CCExtractor") == [other.id]
    assert len(listed(client, reader, repository="CCExtractor/ccextractor")) == 4
    assert listed(client, reader, repository="someone/ccextracto_") == []
    assert listed(client, reader, platform="windows") == [emoji.id]
    assert listed(client, reader, pull_request=8) == [spaced.id]
    assert listed(client, reader, platform="windows", pull_request=8) == []


def test_created_filters_are_open_on_both_sides(app, client, reader) -> None:
    first = factories.run(created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    second = factories.run(created_at=datetime(2026, 3, 1, 13, tzinfo=UTC))

    assert listed(client, reader, created_after="2026-03-01T12:00:00Z") == [second.id]
    assert listed(client, reader, created_before="2026-03-01T13:00:00Z") == [first.id]
    assert listed(client, reader, created_after="2026-03-01T14:59:59+02:00") == [second.id]
    assert listed(client, reader, created_after="2026-03-01", created_before="2026-03-02") == [
        second.id,
        first.id,
    ]


def test_every_sort_is_a_total_order(app, client, reader) -> None:
    base = datetime(2026, 3, 1, tzinfo=UTC)
    ages = [5, 1, 3, 1, 4]
    runs = [
        factories.run(
            created_at=base + timedelta(hours=age),
            progress=[("preparation", "", base + timedelta(days=9 - age))] if age > 1 else [],
        )
        for age in ages
    ]
    ids = [run.id for run in runs]

    def order(*places: int) -> list[int]:
        return [ids[place] for place in places]

    assert listed(client, reader) == order(0, 4, 2, 3, 1)
    assert listed(client, reader, sort="created_at") == order(1, 3, 2, 4, 0)
    assert listed(client, reader, sort="-run_id") == ids[::-1]
    assert listed(client, reader, sort="run_id") == ids
    assert listed(client, reader, sort="-started_at")[:3] == order(2, 4, 0)
    assert [i for i in listed(client, reader, sort="started_at") if i not in order(1, 3)] == order(
        0, 4, 2
    )
    for sort in ("created_at", "-created_at", "started_at", "-started_at"):
        whole = listed(client, reader, sort=sort)
        walked = [
            run_id
            for offset in range(0, 5, 2)
            for run_id in listed(client, reader, sort=sort, limit=2, offset=offset)
        ]
        assert walked == whole


def test_pages_have_exact_totals_and_end(app, client, reader) -> None:
    for _ in range(5):
        factories.run()

    def page(**query) -> dict:
        return client.get(f"{API}/runs", query_string=query, headers=reader).json["pagination"]

    assert page(limit=2)["total"] == 5
    assert page(limit=2)["next_offset"] == 2
    assert page(limit=2, offset=4)["next_offset"] is None
    assert page(limit=2, offset=5)["next_offset"] is None
    assert page(limit=2, offset=100)["total"] == 5
    assert page(limit=5)["next_offset"] is None


def test_a_run_shows_where_it_came_from_and_where_its_parts_are(app, client, reader, site) -> None:
    person = factories.account("tester", name="Ada")
    run = factories.run(
        progress=[("preparation", "", datetime(2026, 3, 1, tzinfo=UTC)),
                  ("completed", "", datetime(2026, 3, 1, 0, 1, 2, tzinfo=UTC))],
        created_at=datetime(2026, 2, 28, tzinfo=UTC), branch="", commit="C" * 40, pull_request=0,
        requested_by=person,
    )  # fmt: skip

    told = get(client, reader, run.id)

    assert told["commit_sha"] == "c" * 40
    assert told["commit_short"] == "c" * 8
    assert told["branch"] is None
    assert told["pull_request"] is None
    assert told["triggered_by"] == "Ada"
    assert told["created_at"] == told["queued_at"] == "2026-02-28T00:00:00.000Z"
    assert told["started_at"] == "2026-03-01T00:00:00.000Z"
    assert told["completed_at"] == "2026-03-01T00:01:02.000Z"
    assert told["duration_ms"] == 62_000
    assert told["links"]["self"] == f"/api/v1/runs/{run.id}"


@pytest.mark.parametrize("part", ["", "/summary", "/progress", "/config"])
def test_a_run_that_is_not_there_is_404_with_its_id(sqlite_app, client, reader, part) -> None:
    response = client.get(f"{API}/runs/4711{part}", headers=reader)

    assert (response.status_code, response.json["code"]) == (404, "not_found")
    assert response.json["details"] == {"resource": "run", "id": 4711}


def test_a_run_with_an_invalid_commit_or_fork_is_left_out_everywhere(
    app, client, reader, raw
) -> None:
    broken = [factories.run(commit="deadbeef"), factories.run(repository="a b/c")]

    assert listed(client, reader) == []
    for run in broken:
        assert client.get(f"{API}/runs/{run.id}", headers=reader).status_code == 404


# Starting


def test_a_new_run_is_queued_with_its_recorded_set(app, client, tester, raw) -> None:
    active = [factories.regression_test() for _ in range(2)]
    factories.regression_test(active=False)
    unsaid = factories.regression_test(active=None)

    response = client.post(
        f"{API}/runs",
        json={**NEW, "branch": "master", "pull_request": 12, "environment_id": "linux"},
        headers=tester,
    )

    assert response.status_code == 202
    told = response.json
    assert told == get(client, tester, told["run_id"])
    assert (told["status"], told["commit_sha"], told["branch"]) == ("queued", "a" * 40, "master")
    assert told["pull_request"] == 12
    recorded = raw.execute("SELECT regression_id FROM customized_test ORDER BY regression_id")
    assert recorded == [(test.id,) for test in [*active, unsaid]]
    token = raw.execute("SELECT token, test_type FROM test")
    assert len(token[0][0]) >= 40
    assert token[0][1] == "pr"
    assert token[0][0] not in response.text
    factories.regression_test()
    assert get(client, tester, told["run_id"], "/config")["regression_test_ids"] == [
        test.id for test in [*active, unsaid]
    ]


def test_chosen_tests_are_recorded_and_unknown_or_inactive_ones_refused(
    app, client, tester, raw
) -> None:
    one, two = factories.regression_test(), factories.regression_test()
    idle = factories.regression_test(active=False)

    def start(*ids: int):
        return client.post(
            f"{API}/runs", json={**NEW, "regression_test_ids": list(ids)}, headers=tester
        )

    assert get(client, tester, start(two.id).json["run_id"], "/config")["regression_test_ids"] == [
        two.id
    ]
    refused = start(one.id, idle.id)
    assert (refused.status_code, refused.json["details"]) == (422, {"inactive_ids": [idle.id]})
    refused = start(one.id, 4711)
    assert (refused.status_code, refused.json["details"]) == (422, {"unknown_ids": [4711]})
    assert start().status_code == 422
    assert raw.execute("SELECT count(*) FROM test") == [(1,)]


def test_without_any_active_test_nothing_is_started(app, client, tester) -> None:
    assert client.post(f"{API}/runs", json=NEW, headers=tester).status_code == 422


def test_an_environment_of_another_platform_is_refused(app, client, tester) -> None:
    factories.regression_test()

    for name in ("windows", "linux-latest"):
        response = client.post(f"{API}/runs", json={**NEW, "environment_id": name}, headers=tester)
        assert response.status_code == 422


@pytest.mark.parametrize(
    ("role", "login", "repository", "status"),
    [
        ("admin", None, "CCExtractor/ccextractor", 202),
        ("tester", None, "ccextractor/CCEXTRACTOR", 202),
        ("contributor", None, "CCExtractor/ccextractor", 202),
        ("user", None, "CCExtractor/ccextractor", 403),
        ("contributor", None, "friend/allowed", 202),
        ("user", "friend", "friend/allowed", 403),
        ("user", "Ada", "ada/CCExtractor", 202),
        ("user", "Ada", "ada/other", 403),
        ("user", "Ada", "bob/ccextractor", 403),
        ("user", "", "/ccextractor", 400),
        ("admin", None, "stranger/ccextractor", 403),
        ("admin", "stranger", "stranger/ccextractor", 202),
    ],
)
def test_who_may_start_which_repository(make_app, site, role, login, repository, status) -> None:
    factories.regression_test()
    client = make_app(allowed_repositories=("friend/allowed",)).test_client()
    headers = factories.signed_in(
        role, "runs:write", github_login=login, github_id=5 if login else None
    )

    response = client.post(f"{API}/runs", json={**NEW, "repository": repository}, headers=headers)

    assert response.status_code == status, response.json


def test_blocked_people_start_and_repeat_nothing(app, client, raw) -> None:
    factories.regression_test()
    person = factories.account("admin", github_id=99)
    run = factories.run(requested_by=person)
    raw.execute("INSERT INTO blocked_users (user_id, comment) VALUES (99, 'spam')")
    headers = factories.bearer(factories.token_for(person, "runs:write"))

    assert client.post(f"{API}/runs", json=NEW, headers=headers).status_code == 403
    assert client.post(f"{API}/runs/{run.id}/retry", headers=headers).status_code == 403


# Idempotency


def test_a_key_answers_with_the_same_run_and_refuses_another_body(app, client, tester, raw) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}

    first = client.post(f"{API}/runs", json=NEW, headers=keyed)
    again = client.post(f"{API}/runs", json=NEW, headers=keyed)
    other = client.post(f"{API}/runs", json={**NEW, "platform": "windows"}, headers=keyed)
    another = client.post(f"{API}/runs", json=NEW, headers={**tester, "Idempotency-Key": "abcd"})

    assert again.json == first.json
    assert again.status_code == 202
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert another.json["run_id"] != first.json["run_id"]
    assert raw.execute("SELECT count(*) FROM test") == [(2,)]


def test_keys_are_an_accounts_own(app, client, tester, raw) -> None:
    factories.regression_test()
    other = factories.signed_in("tester", "runs:write")

    runs = {
        client.post(f"{API}/runs", json=NEW, headers={**headers, "Idempotency-Key": "abc"}).json[
            "run_id"
        ]
        for headers in (tester, other)
    }

    assert len(runs) == 2


def test_a_request_that_failed_gives_its_key_back(app, client, tester) -> None:
    keyed = {**tester, "Idempotency-Key": "abc"}
    assert client.post(f"{API}/runs", json=NEW, headers=keyed).status_code == 422
    factories.regression_test()

    assert client.post(f"{API}/runs", json=NEW, headers=keyed).status_code == 202


def test_a_key_at_work_is_409_and_one_whose_request_died_is_taken_over(
    app, client, tester, raw
) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}
    first = client.post(f"{API}/runs", json=NEW, headers=keyed)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000000")
    raw.execute("UPDATE idempotency_key SET run_id = NULL, created_at = ?", [now])

    at_work = client.post(f"{API}/runs", json=NEW, headers=keyed)
    assert at_work.status_code == 409
    assert int(at_work.headers["Retry-After"]) > 0
    earlier = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%Y-%m-%d %H:%M:%S.000000")
    raw.execute("UPDATE idempotency_key SET created_at = ?", [earlier])
    taken_over = client.post(f"{API}/runs", json=NEW, headers=keyed)
    assert taken_over.status_code == 202
    assert taken_over.json["run_id"] != first.json["run_id"]


def test_a_key_lives_for_a_day(app, client, tester, raw) -> None:
    factories.regression_test()
    keyed = {**tester, "Idempotency-Key": "abc"}
    client.post(f"{API}/runs", json=NEW, headers=keyed)
    raw.execute("UPDATE idempotency_key SET created_at = '2026-01-01 00:00:00.000000'")

    other = client.post(f"{API}/runs", json={**NEW, "platform": "windows"}, headers=keyed)

    assert other.status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 256])
def test_a_key_is_1_to_255_visible_characters(sqlite_app, client, tester, key) -> None:
    response = client.post(
        f"{API}/runs",
        json=NEW,
        headers={**tester, "Idempotency-Key": key.encode().decode("latin-1")},
    )

    assert response.status_code == 400
    assert "Idempotency-Key" in response.json["details"]["fields"]


# Canceling


@pytest.mark.parametrize("last", ["queued", "running"])
def test_a_cancel_ends_what_has_not_ended_and_says_why(
    app, client, tester, of_each_status, raw, last
) -> None:
    run_id = of_each_status[last]

    response = client.post(
        f"{API}/runs/{run_id}/cancel", json={"reason": "superseded"}, headers=tester
    )

    assert response.status_code == 202
    assert (response.json["action"], response.json["status"]) == ("cancel", "accepted")
    told = get(client, tester, run_id)
    assert (told["status"], told["run_errors"]) == ("canceled", "no")
    event = get(client, tester, run_id, "/progress")["data"][-1]
    assert event["status"] == "canceled"
    assert "superseded" in event["message"]
    assert raw.execute("SELECT count(*) FROM audit_event WHERE action = 'run.canceled'") == [(1,)]


@pytest.mark.parametrize("last", ["pass", "fail", "canceled", "error", "incomplete"])
def test_a_cancel_of_an_ended_run_is_a_no_op(
    app, client, tester, of_each_status, raw, last
) -> None:
    run_id = of_each_status[last]
    before = get(client, tester, run_id, "/progress")

    response = client.post(f"{API}/runs/{run_id}/cancel", headers=tester)

    assert (response.status_code, response.json["status"]) == (202, "no_op")
    assert get(client, tester, run_id, "/progress") == before
    assert raw.execute("SELECT count(*) FROM audit_event WHERE action = 'run.canceled'") == [(0,)]


def test_who_may_cancel_and_repeat(app, client) -> None:
    test = factories.regression_test()
    owner = factories.account("user")
    other = factories.signed_in("user", "runs:write")
    own = factories.bearer(factories.token_for(owner, "runs:write"))
    theirs = factories.run(requested_by=owner, tests=[test])

    assert client.post(f"{API}/runs/{theirs.id}/cancel", headers=other).status_code == 403
    assert client.post(f"{API}/runs/{theirs.id}/retry", headers=other).status_code == 403
    assert client.post(f"{API}/runs/{theirs.id}/cancel", headers=own).status_code == 202
    # Its starter may change it, but may no longer start the main repository.
    assert client.post(f"{API}/runs/{theirs.id}/retry", headers=own).status_code == 403
    contributor = factories.signed_in("contributor", "runs:write")
    assert client.post(f"{API}/runs/{theirs.id}/retry", headers=contributor).status_code == 202


def test_a_fork_is_repeated_by_a_tester_while_its_owner_could_start_it(app, client, tester) -> None:
    test = factories.regression_test()
    ada = factories.account("user", github_login="ada", github_id=7)
    run = factories.run(repository="ada/ccextractor", requested_by=ada, tests=[test])
    nobodys = factories.run(repository="eve/ccextractor", tests=[test])

    assert client.post(f"{API}/runs/{run.id}/retry", headers=tester).status_code == 202
    assert client.post(f"{API}/runs/{nobodys.id}/retry", headers=tester).status_code == 403


# Repeating


def test_a_retry_is_a_new_run_of_the_same_commit_set_and_platform(app, client, tester, raw) -> None:
    tests = [factories.regression_test() for _ in range(2)]
    factories.regression_test()
    source = factories.run(
        tests=tests, platform="windows", branch="b", pull_request=3, progress=DONE
    )
    before = get(client, tester, source.id)

    response = client.post(
        f"{API}/runs/{source.id}/retry", json={"reason": "flaky"}, headers=tester
    )

    assert (response.status_code, response.json["status"]) == (202, "accepted")
    new = get(client, tester, response.json["new_run_id"])
    for part in ("commit_sha", "platform", "branch", "pull_request", "repository"):
        assert new[part] == before[part]
    assert (new["status"], new["retry_of"]) == ("queued", source.id)
    assert get(client, tester, new["run_id"], "/config")["regression_test_ids"] == [
        test.id for test in tests
    ]
    assert "flaky" in get(client, tester, new["run_id"], "/progress")["data"][0]["message"]
    assert get(client, tester, source.id) == before


def test_failed_only_takes_failures_and_missing_outputs(app, client, tester) -> None:
    passed, failed, missing, skipped, idle = [factories.regression_test() for _ in range(5)]
    source = factories.run(tests=[passed, failed, missing, skipped, idle], progress=DONE)
    factories.result(source, passed)
    factories.result(source, failed, exit_code=1)
    factories.result(source, missing, outputs={})
    factories.result(source, idle, outputs={idle.output: factories.digest("x")})

    response = client.post(
        f"{API}/runs/{source.id}/retry", json={"failed_only": True}, headers=tester
    )

    config = get(client, tester, response.json["new_run_id"], "/config")
    assert config["regression_test_ids"] == [failed.id, missing.id, idle.id]


def test_inactive_tests_are_dropped_and_an_empty_rest_is_422(app, client, tester, raw) -> None:
    keeps, goes = factories.regression_test(), factories.regression_test()
    source = factories.run(tests=[keeps, goes], progress=DONE)
    for test in (keeps, goes):
        factories.result(source, test, exit_code=1)
    raw.execute("UPDATE regression_test SET active = 0 WHERE id = ?", [goes.id])
    url = f"{API}/runs/{source.id}/retry"

    new = client.post(url, json={"failed_only": True}, headers=tester).json["new_run_id"]
    assert get(client, tester, new, "/config")["regression_test_ids"] == [keeps.id]
    raw.execute("UPDATE regression_test SET active = 0")
    assert client.post(url, headers=tester).status_code == 422


@pytest.mark.parametrize("status", ["queued", "running", "pass", "canceled", "error", "incomplete"])
def test_failed_only_needs_an_ended_run_with_failures(
    app, client, tester, of_each_status, status
) -> None:
    response = client.post(
        f"{API}/runs/{of_each_status[status]}/retry", json={"failed_only": True}, headers=tester
    )

    assert response.status_code == 422


def test_chosen_tests_of_a_source_are_repeated_and_others_refused(app, client, tester) -> None:
    one, two = factories.regression_test(), factories.regression_test()
    foreign = factories.regression_test()
    source = factories.run(tests=[one, two], progress=DONE)
    url = f"{API}/runs/{source.id}/retry"

    new = client.post(url, json={"regression_test_ids": [two.id]}, headers=tester)
    assert get(client, tester, new.json["new_run_id"], "/config")["regression_test_ids"] == [two.id]
    refused = client.post(url, json={"regression_test_ids": [foreign.id]}, headers=tester)
    assert (refused.status_code, refused.json["details"]) == (422, {"unknown_ids": [foreign.id]})


# Progress and configuration


def test_progress_begins_with_queued_and_filters(app, client, reader) -> None:
    run = factories.run(progress=["preparation", ("testing", "t"), ("canceled", "VM went away")])

    events = get(client, reader, run.id, "/progress")["data"]

    assert [event["status"] for event in events] == ["queued", "preparation", "testing", "error"]
    for status in ("queued", "testing", "error"):
        page = get(client, reader, run.id, f"/progress?status={status}")
        assert [event["status"] for event in page["data"]] == [status]
        assert page["pagination"]["total"] == 1
    assert get(client, reader, run.id, "/progress?status=canceled")["data"] == []
    assert [
        e["status"] for e in get(client, reader, run.id, "/progress?limit=1&offset=2")["data"]
    ] == ["testing"]


def test_a_long_message_is_cut_with_an_ellipsis(app, client, reader) -> None:
    run = factories.run(progress=[("preparation", "m" * 600)])

    message = get(client, reader, run.id, "/progress")["data"][1]["message"]

    assert (len(message), message[-1]) == (500, "…")


def test_a_config_shows_the_matrix_and_what_its_commands_share(app, client, reader) -> None:
    one = factories.regression_test(command="-autoprogram -out=srt -latin1")
    two = factories.regression_test(command="-out=srt -autoprogram -ucla")
    run = factories.run(tests=[one, two])

    config = get(client, reader, run.id, "/config")

    assert config["environment"]["platform"] == "linux"
    assert config["environment"]["active"] is True
    assert [row["regression_id"] for row in config["matrix"]] == [one.id, two.id]
    assert config["command_defaults"] == ["-autoprogram", "-out=srt"]


def test_a_lost_lease_in_the_list_reads_as_in_the_run(app, client, reader, raw) -> None:
    run = factories.run()
    runner(client).claim()
    assert listed(client, reader, status="running") == [run.id]
    lose_lease(raw, run.id)

    assert listed(client, reader, status="running") == []
    assert listed(client, reader, status="queued") == [run.id]
