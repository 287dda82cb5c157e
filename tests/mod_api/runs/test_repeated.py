"""Runs are repeated: who may, and with which of their tests."""

import pytest

from tests import factories
from tests.mod_api.runs.asking import DONE, get
from tests.runners import API


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


@pytest.mark.parametrize(
    "progress",
    [
        ["preparation", ("canceled", "Failed to create VM instance")],
        ["preparation", "testing", ("canceled", "Quota exceeded")],
        ["testing", "completed"],
        ["preparation"],
    ],
)
@pytest.mark.parametrize("results", [0, 2])
def test_without_a_recorded_set_all_active_tests_of_today_are_meant(
    app, client, tester, raw, progress, results
) -> None:
    tests = [factories.regression_test() for _ in range(4)]
    source = factories.run(progress=progress)
    for test in tests[:results]:
        factories.result(source, test)
    raw.execute("UPDATE regression_test SET active = 0 WHERE id = ?", [tests[0].id])
    active = [test.id for test in tests[1:]]

    answer = client.post(f"{API}/runs/{source.id}/retry", headers=tester)

    assert answer.status_code == 202, answer.json
    new = answer.json["new_run_id"]
    assert get(client, tester, source.id, "/config")["regression_test_ids"] == active
    assert get(client, tester, new, "/config")["regression_test_ids"] == active
    assert get(client, tester, new, "/summary")["total_samples"] == 3


def test_a_run_canceled_before_its_first_result_is_repeated_whole(app, client, tester) -> None:
    tests = [factories.regression_test() for _ in range(3)]
    source = factories.run(progress=["preparation"])
    assert client.post(f"{API}/runs/{source.id}/cancel", headers=tester).status_code == 202
    url = f"{API}/runs/{source.id}/retry"

    whole = client.post(url, headers=tester)
    chosen = client.post(url, json={"regression_test_ids": [tests[1].id]}, headers=tester)

    for answer, expected in ((whole, tests), (chosen, tests[1:2])):
        assert answer.status_code == 202, answer.json
        config = get(client, tester, answer.json["new_run_id"], "/config")
        assert config["regression_test_ids"] == [test.id for test in expected]
