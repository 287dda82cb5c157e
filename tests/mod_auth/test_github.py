"""Connecting an account with its GitHub user, against a stand-in on loopback."""

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from itsdangerous import TimestampSigner

from config import Settings
from database import reading
from errors import DomainError, Invalid, Unavailable, Unprocessable
from mod_auth import accounts, github
from mod_auth.accounts import Account
from mod_auth.models import Role
from tests import factories
from tests.mod_auth import github_stand_in
from tests.mod_auth.github_stand_in import StandIn
from tests.raw import Raw

BACK = "https://ci.example.org/api/v1/auth/github/callback"
TOKEN = "gho_" + "s3cr3t" * 6
USER = {"id": 5_000_000_000, "login": "Ann-Lee"}


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with github_stand_in.github() as stand_in:
        stand_in.users[TOKEN] = USER
        yield stand_in


@pytest.fixture
def configured(settings: Callable[..., Settings], hub: StandIn) -> Settings:
    return settings(
        github_client_id=github_stand_in.CLIENT_ID,
        github_client_secret=github_stand_in.CLIENT_SECRET,
        github_url=hub.url,
        github_api_url=hub.url,
    )


def read(account: factories.AccountRow) -> Account:
    with reading():
        return accounts.get(account.id)


def asked(configured: Settings, account: Account) -> str:
    """The state of the address that the account asks for."""
    url = github.authorize_url(configured, account, BACK)
    return parse_qs(urlsplit(url).query)["state"][0]


def test_the_address_asks_for_nothing_but_the_public_profile(
    app: Flask, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account()

    with app.app_context():
        url = urlsplit(github.authorize_url(configured, read(mine), BACK))

    query = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{hub.url}/login/oauth/authorize"
    assert query.pop("state")
    assert query == {
        "response_type": ["code"],
        "client_id": [github_stand_in.CLIENT_ID],
        "redirect_uri": [BACK],
    }


def test_connecting_stores_who_said_yes(
    app: Flask, raw: Raw, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account(Role.tester)
    hub.codes["the-code"] = (BACK, TOKEN)

    with app.app_context():
        me = read(mine)
        connected = github.connect(configured, me, code="the-code", state=asked(configured, me))

    assert connected == Account(mine.id, mine.name, mine.email, Role.tester, "Ann-Lee", USER["id"])
    assert raw.execute("SELECT github_login, github_token FROM user") == [("Ann-Lee", TOKEN)]
    assert raw.execute("SELECT github_id FROM account_record") == [(USER["id"],)]
    ((by, action, details),) = raw.execute("SELECT account_id, action, details FROM audit_event")
    assert (by, action) == (mine.id, "account.github_connected")
    assert "Ann-Lee" in details
    assert TOKEN not in details


def test_connecting_again_replaces_the_former_user(
    app: Flask, raw: Raw, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account(github_login="old", github_token="old", github_id=1)
    hub.codes["the-code"] = (BACK, TOKEN)

    with app.app_context():
        me = read(mine)
        github.connect(configured, me, code="the-code", state=asked(configured, me))

    assert raw.execute("SELECT github_login, github_token FROM user") == [("Ann-Lee", TOKEN)]
    assert raw.execute("SELECT github_id FROM account_record") == [(USER["id"],)]


def test_a_state_opens_nothing_for_another_account_and_nothing_made_up(
    app: Flask, raw: Raw, configured: Settings, hub: StandIn
) -> None:
    mine, other = factories.account(), factories.account()
    hub.codes["the-code"] = (BACK, TOKEN)

    with app.app_context():
        theirs = asked(configured, read(other))
        mine_tampered = asked(configured, read(mine))[:-1] + "!"
        for state in (theirs, mine_tampered, "", "made-up", "a.b.c", "\ud800", "x" * 100_000):
            with pytest.raises(Invalid) as caught:
                github.connect(configured, read(mine), code="the-code", state=state)
            assert list(caught.value.details["fields"]) == ["state"]

    assert hub.asked == []
    assert raw.execute("SELECT DISTINCT github_login FROM user") == [(None,)]


def test_a_state_is_good_for_ten_minutes(
    app: Flask, configured: Settings, hub: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = factories.account()
    hub.codes["the-code"] = (BACK, TOKEN)
    real: Callable[[TimestampSigner], int] = TimestampSigner.get_timestamp

    with app.app_context():
        me = read(mine)
        with monkeypatch.context() as earlier:
            earlier.setattr(TimestampSigner, "get_timestamp", lambda signer: real(signer) - 602)
            old = asked(configured, me)
        with pytest.raises(Invalid):
            github.connect(configured, me, code="the-code", state=old)
        with monkeypatch.context() as earlier:
            earlier.setattr(TimestampSigner, "get_timestamp", lambda signer: real(signer) - 590)
            recent = asked(configured, me)
        github.connect(configured, me, code="the-code", state=recent)


@pytest.mark.parametrize("code", ["", "\ud800", "a\0b", "x" * 100_000])
def test_a_code_that_can_be_none_is_not_sent(
    sqlite_app: Flask, configured: Settings, hub: StandIn, code: str
) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        me = read(mine)
        with pytest.raises(Invalid) as caught:
            github.connect(configured, me, code=code, state=asked(configured, me))

    assert list(caught.value.details["fields"]) == ["code"]
    assert hub.asked == []


def test_a_code_works_once(app: Flask, raw: Raw, configured: Settings, hub: StandIn) -> None:
    mine = factories.account()
    hub.codes["the-code"] = (BACK, TOKEN)

    with app.app_context():
        me = read(mine)
        github.connect(configured, me, code="the-code", state=asked(configured, me))
        with pytest.raises(Unprocessable) as caught:
            github.connect(configured, me, code="the-code", state=asked(configured, me))

    assert caught.value.code == "github_refused"
    assert raw.execute("SELECT github_login FROM user") == [("Ann-Lee",)]


@pytest.mark.parametrize("mood", ["error", "garbage", "redirect", "trickle"])
def test_where_github_fails_nothing_is_stored(
    app: Flask,
    raw: Raw,
    configured: Settings,
    hub: StandIn,
    mood: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(github, "CONNECT_SECONDS", 0.5)
    mine = factories.account(github_token=TOKEN)
    hub.mood = mood

    with app.app_context():
        me = read(mine)
        with pytest.raises(Unavailable) as caught:
            github.connect(configured, me, code="the-code", state=asked(configured, me))
        monkeypatch.setattr(github, "LOOK_UP_SECONDS", 0.5)
        with pytest.raises(Unavailable) as unknown:
            github.look_up_login(configured, me)

    for error in (caught.value, unknown.value):
        assert (error.code, error.details) == ("github_unavailable", {"retry_after": 30})
    assert not any("elsewhere" in path for path in hub.asked)
    assert raw.execute("SELECT github_login, github_token FROM user") == [(None, TOKEN)]
    assert raw.execute("SELECT count(*) FROM account_record") == [(0,)]


@pytest.mark.parametrize(
    "user",
    [
        {"id": "5", "login": "ann"},
        {"id": True, "login": "ann"},
        {"id": -1, "login": "ann"},
        {"id": 1 << 70, "login": "ann"},
        {"id": 5, "login": "ann/lee"},
        {"id": 5, "login": None},
        {"id": 5, "login": "a" * 1000},
        ["ann"],
    ],
)
def test_a_user_that_cannot_be_is_not_stored(
    sqlite_app: Flask, raw: Raw, configured: Settings, hub: StandIn, user: object
) -> None:
    mine = factories.account(github_token=TOKEN)
    hub.users[TOKEN] = user

    with sqlite_app.app_context():
        me = read(mine)
        with pytest.raises(Unavailable):
            github.look_up_login(configured, me)

    assert raw.execute("SELECT github_login FROM user") == [(None,)]


def test_a_missing_login_is_looked_up_once_and_kept(
    app: Flask, raw: Raw, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account(github_token=TOKEN)

    with app.app_context():
        known = github.look_up_login(configured, read(mine))
        again = github.look_up_login(configured, read(mine))

    assert known == again
    assert (known.github_login, known.github_id) == ("Ann-Lee", USER["id"])
    assert hub.asked == ["GET /user"]
    assert raw.execute("SELECT github_login FROM user") == [("Ann-Lee",)]


def test_a_login_without_its_id_is_looked_up_since_a_block_is_by_id(
    app: Flask, configured: Settings
) -> None:
    mine = factories.account(github_login="former-name", github_token=TOKEN)

    with app.app_context():
        known = github.look_up_login(configured, read(mine))

    assert (known.github_login, known.github_id) == ("Ann-Lee", USER["id"])


def test_nothing_is_asked_for_an_account_without_a_token(
    app: Flask, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account()

    with app.app_context():
        assert github.look_up_login(configured, read(mine)) == read(mine)

    assert hub.asked == []


def test_a_token_that_github_revoked_is_no_failure(
    app: Flask, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account(github_token="gho_revoked")

    with app.app_context():
        assert github.look_up_login(configured, read(mine)).github_login is None

    assert hub.asked == ["GET /user"]


def test_nobody_waits_for_a_lock_while_github_is_asked(
    app: Flask, raw: Raw, configured: Settings, hub: StandIn
) -> None:
    mine = factories.account(github_token=TOKEN)
    raw.execute("PRAGMA busy_timeout = 0" if raw.is_sqlite else "SET innodb_lock_wait_timeout = 1")
    real = hub.users

    class Meanwhile(dict[str, object]):
        def get(self, token: str, default: object = None) -> object:
            raw.execute("UPDATE user SET github_token = 'changed' WHERE id = ?", [mine.id])
            return real.get(token, default)

    hub.users = Meanwhile()
    with app.app_context():
        known = github.look_up_login(configured, read(mine))

    # and what was asked with the former token is not the new one's
    assert known.github_login is None
    assert raw.execute("SELECT github_login, github_token FROM user") == [(None, "changed")]


def test_where_github_is_not_configured_it_says_so(
    sqlite_app: Flask, settings: Callable[..., Settings]
) -> None:
    mine = factories.account()

    with sqlite_app.app_context():
        me = read(mine)
        for ask in (
            lambda: github.authorize_url(settings(), me, BACK),
            lambda: github.connect(settings(), me, code="c", state="s"),
        ):
            with pytest.raises(DomainError) as caught:
                ask()
            assert caught.value.code == "github_not_configured"


def test_wrong_credentials_of_ours_are_not_the_callers_fault(
    sqlite_app: Flask, configured: Settings, settings: Callable[..., Settings], hub: StandIn
) -> None:
    mine = factories.account()
    wrong = settings(github_client_id="other", github_client_secret="other", github_url=hub.url)

    with sqlite_app.app_context():
        me = read(mine)
        with pytest.raises(Unavailable):
            github.connect(wrong, me, code="the-code", state=asked(wrong, me))
