"""Connecting with GitHub and starting one's own fork's runs, against a GitHub on loopback."""

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests import factories
from tests.mod_auth import github_stand_in
from tests.mod_auth.github_stand_in import StandIn

PUBLIC = "https://ci.example.org"
BACK = f"{PUBLIC}/api/v1/auth/github/callback"
TOKEN = "gho_" + "s3cr3t" * 6
USER = {"id": 5_000_000_000, "login": "Ann-Lee"}
FORK = "ann-lee/ccextractor"


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with github_stand_in.github() as stand_in:
        stand_in.users[TOKEN] = USER
        yield stand_in


@pytest.fixture
def connected(make_app, hub) -> FlaskClient:
    """A client of an application that knows the stand-in."""
    app = make_app(
        public_url=PUBLIC,
        github_client_id=github_stand_in.CLIENT_ID,
        github_client_secret=github_stand_in.CLIENT_SECRET,
        github_url=hub.url,
        github_api_url=hub.url,
    )
    return app.test_client()


def state_for(client, headers) -> str:
    url = client.get("/api/v1/auth/github", headers=headers).json["authorize_url"]
    return parse_qs(urlsplit(url).query)["state"][0]


def start(client, headers, repository: str = FORK, **more):
    body = {"repository": repository, "commit_sha": "a" * 40, "platform": "linux", **more}
    return client.post("/api/v1/runs", json=body, headers=headers)


def test_an_account_is_connected_in_three_requests(app, connected, hub, raw) -> None:
    mine = factories.signed_in(Role.user, Scope.TOKENS_MANAGE)
    hub.codes["the-code"] = (BACK, TOKEN)

    started = connected.get("/api/v1/auth/github", headers=mine).json
    url = urlsplit(started["authorize_url"])
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert f"{url.scheme}://{url.netloc}" == hub.url
    assert (asked["redirect_uri"], started["github_login"]) == (BACK, None)
    brought = connected.get(
        "/api/v1/auth/github/callback", query_string={"code": "the-code", "state": asked["state"]}
    ).json
    answer = connected.post(
        "/api/v1/auth/github",
        json={"code": brought["code"], "state": brought["state"]},
        headers=mine,
    )

    assert (answer.status_code, answer.json) == (
        200,
        {"github_login": "Ann-Lee", "github_id": USER["id"]},
    )
    assert raw.execute("SELECT github_login FROM user") == [("Ann-Lee",)]
    assert connected.get("/api/v1/auth/github", headers=mine).json["github_login"] == "Ann-Lee"


def test_a_token_that_does_not_manage_the_account_connects_nothing(
    app, connected, hub, raw
) -> None:
    owner = factories.account(Role.user)
    mine = factories.bearer(factories.token_for(owner, Scope.TOKENS_MANAGE))
    others = factories.bearer(
        factories.token_for(owner, *(one for one in Scope if one is not Scope.TOKENS_MANAGE))
    )
    hub.codes["the-code"] = (BACK, TOKEN)
    body = {"code": "the-code", "state": state_for(connected, mine)}

    answers = [
        connected.get("/api/v1/auth/github", headers=others),
        connected.post("/api/v1/auth/github", json=body, headers=others),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert raw.execute("SELECT github_login, github_token FROM user") == [(None, None)]
    assert hub.asked == []


def test_the_callback_alone_connects_nothing(app, connected, hub, raw) -> None:
    mine = factories.signed_in(Role.user, Scope.TOKENS_MANAGE)
    hub.codes["the-code"] = (BACK, TOKEN)
    state = state_for(connected, mine)

    connected.get(f"/api/v1/auth/github/callback?code=the-code&state={state}")

    assert raw.execute("SELECT github_login, github_token FROM user") == [(None, None)]
    assert hub.asked == []


def test_a_strangers_state_connects_nothing(sqlite_app, connected, hub) -> None:
    mine, strange = (factories.signed_in(Role.user, Scope.TOKENS_MANAGE) for _ in range(2))
    hub.codes["the-code"] = (BACK, TOKEN)

    answer = connected.post(
        "/api/v1/auth/github",
        json={"code": "the-code", "state": state_for(connected, strange)},
        headers=mine,
    )

    assert (answer.status_code, list(answer.json["details"]["fields"])) == (400, ["state"])
    assert hub.asked == []


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("", 400, "code"),
        ("state=x", 400, "code"),
        ("code=x", 400, "state"),
        ("code=x&state=y&admin=1", 400, "admin"),
        (f"code={'x' * 201}&state=y", 400, "code"),
        ("error=access_denied&error_description=no&state=x", 422, None),
    ],
)
def test_a_callback_that_brings_no_code_says_so(
    sqlite_app, connected, query, status, field
) -> None:
    answer = connected.get(f"/api/v1/auth/github/callback?{query}")

    assert answer.status_code == status
    if field:
        assert field in answer.json["details"]["fields"]
    else:
        assert answer.json["code"] == "github_refused"


@pytest.mark.parametrize("mood", ["error", "garbage", "redirect"])
def test_a_github_that_does_not_answer_is_503(sqlite_app, connected, hub, mood) -> None:
    mine = factories.signed_in(Role.user, Scope.TOKENS_MANAGE)
    state = state_for(connected, mine)
    hub.mood = mood

    answer = connected.post(
        "/api/v1/auth/github", json={"code": "the-code", "state": state}, headers=mine
    )

    assert (answer.status_code, answer.json["code"]) == (503, "github_unavailable")
    assert answer.headers["Retry-After"] == "30"


def test_a_code_that_github_does_not_take_is_422(sqlite_app, connected, hub) -> None:
    mine = factories.signed_in(Role.user, Scope.TOKENS_MANAGE)

    answer = connected.post(
        "/api/v1/auth/github",
        json={"code": "stale", "state": state_for(connected, mine)},
        headers=mine,
    )

    assert (answer.status_code, answer.json["code"]) == (422, "github_refused")


def test_without_settings_it_says_what_is_missing(sqlite_app, client, make_app) -> None:
    mine = factories.signed_in(Role.user, Scope.TOKENS_MANAGE)
    no_address = make_app(github_client_id="x", github_client_secret="y").test_client()
    no_client = make_app(public_url=PUBLIC).test_client()

    answers = [each.get("/api/v1/auth/github", headers=mine) for each in (no_address, no_client)]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [
        (503, "public_url_not_set"),
        (503, "github_not_configured"),
    ]


def test_the_first_run_of_a_fork_finds_out_whose_it_is(app, connected, hub, raw) -> None:
    factories.regression_test()
    mine = factories.signed_in(Role.user, Scope.RUNS_WRITE, github_token=TOKEN)

    first, second = start(connected, mine), start(connected, mine)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json["repository"] == FORK
    assert raw.execute("SELECT github_login FROM user") == [("Ann-Lee",)]
    assert hub.asked == ["GET /user"]


def test_somebody_elses_fork_stays_closed(app, connected, hub) -> None:
    factories.regression_test()
    mine = factories.signed_in(Role.user, Scope.RUNS_WRITE, github_token=TOKEN)

    assert start(connected, mine, "bob/ccextractor").status_code == 403


def test_github_is_not_asked_for_what_is_no_fork(app, connected, hub) -> None:
    factories.regression_test()
    mine = factories.signed_in(Role.tester, Scope.RUNS_WRITE, github_token=TOKEN)

    assert start(connected, mine, factories.MAIN_REPOSITORY).status_code == 202
    assert start(connected, mine, "ann-lee/other").status_code == 403
    assert hub.asked == []


def test_who_is_blocked_is_found_out_before_a_fork_is_started(app, connected, hub, raw) -> None:
    factories.regression_test()
    mine = factories.signed_in(
        Role.user, Scope.RUNS_WRITE, github_token=TOKEN, github_login="Ann-Lee"
    )
    hub.users[TOKEN] = {**USER, "id": 77}
    raw.execute("INSERT INTO blocked_users (user_id, comment) VALUES (77, '')")

    answer = start(connected, mine)

    assert (answer.status_code, answer.json["code"]) == (403, "blocked")


@pytest.mark.timeout(60)
def test_a_github_that_never_ends_its_answer_is_given_up(
    app, connected, hub, raw, monkeypatch
) -> None:
    monkeypatch.setattr("mod_auth.github.LOOK_UP_SECONDS", 0.5)
    factories.regression_test()
    mine = factories.signed_in(Role.user, Scope.RUNS_WRITE, github_token=TOKEN)
    hub.mood = "trickle"

    answer = start(connected, mine)  # the trickle itself never ends

    assert (answer.status_code, answer.json["code"]) == (503, "github_unavailable")
    assert answer.headers["Retry-After"] == "30" == str(answer.json["details"]["retry_after"])
    assert raw.execute("SELECT github_login FROM user") == [(None,)]


def test_a_silent_github_holds_up_nobody_whom_the_role_lets_start_the_fork(
    make_app, connected, hub
) -> None:
    settings = connected.application.extensions["settings"]
    allowed = replace(settings, allowed_repositories=(FORK,))
    connected.application.extensions["settings"] = allowed
    factories.regression_test()
    hub.mood = "error"

    tester = start(connected, factories.signed_in("tester", "runs:write", github_token=TOKEN))
    user = start(connected, factories.signed_in("user", "runs:write", github_token=TOKEN))

    assert (tester.status_code, user.status_code) == (202, 503)
