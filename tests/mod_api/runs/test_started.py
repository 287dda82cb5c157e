"""Runs are started: of what, by whom, with which tests."""

import pytest
import yaml

from mod_api.document import COMMITTED
from tests import factories
from tests.mod_api.runs.asking import NEW, get
from tests.runners import API


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
        assert response.json["details"]["environment_ids"] == ["linux"]


def test_the_documented_example_works(app, client, tester) -> None:
    factories.regression_test()
    document = yaml.load(COMMITTED.read_text("utf-8"), yaml.CSafeLoader)
    properties = document["components"]["schemas"]["RunCreateRequest"]["properties"]
    example = {name: of["example"] for name, of in properties.items() if "example" in of}

    response = client.post(f"{API}/runs", json=example, headers=tester)

    assert response.status_code == 202, response.json
    assert set(example) >= {"repository", "commit_sha", "platform", "environment_id"}


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
