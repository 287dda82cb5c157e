"""Signing in, and what a token opens at each moment."""

import hashlib
import json

import pytest

from tests import factories
from tests.runners import API

DEFAULTS = ["results:read", "runs:read"]
MANAGE = [*DEFAULTS, "tokens:manage"]


@pytest.fixture
def person(site) -> factories.AccountRow:
    return factories.account("contributor")


def ask(client, person, **body):
    body = {"email": person.email, "password": person.password, "token_name": "laptop", **body}
    return client.post(f"{API}/auth/tokens", json=body)


def test_a_token_is_shown_once_and_opens_what_was_asked_for(app, client, person, raw) -> None:
    response = ask(client, person)

    assert response.status_code == 201
    text = response.json["token"]
    assert text.startswith("spci_")
    assert len(text) == 48
    assert sorted(response.json["scopes"]) == DEFAULTS
    headers = factories.bearer(text)
    assert client.get(f"{API}/runs", headers=headers).status_code == 200
    assert client.get(f"{API}/system/queue", headers=headers).status_code == 403
    ((prefix, digest, scopes),) = raw.execute(
        "SELECT token_prefix, token_hash, scopes_json FROM api_token"
    )
    assert (prefix, digest) == (text[:16], hashlib.sha256(text.encode()).hexdigest())
    assert sorted(json.loads(scopes)) == DEFAULTS
    manager = factories.bearer(factories.token_for(person, "tokens:manage"))
    listed = client.get(f"{API}/auth/tokens", headers=manager)
    assert listed.json["pagination"]["total"] == 2
    assert text not in listed.text


def test_a_token_that_the_existing_site_made_works(app, client, person, raw) -> None:
    text = "spci_" + "Ab-_9" * 8 + "xyz"
    raw.execute(
        "INSERT INTO api_token (user_id, token_name, token_hash, token_prefix, scopes_json, "
        "created_at, expires_at) VALUES (?, 'old', ?, ?, ?, '2026-01-01 00:00:00', "
        "'2999-01-01 00:00:00')",
        [person.id, hashlib.sha256(text.encode()).hexdigest(), text[:16],
         '["runs:read", "something:else"]'],
    )  # fmt: skip
    headers = factories.bearer(text)

    assert client.get(f"{API}/runs", headers=headers).status_code == 200
    refused = client.get(f"{API}/system/queue", headers=headers)
    assert refused.json["details"] == {
        "required_scope": "system:read",
        "token_scopes": ["runs:read"],
    }
    manager = factories.bearer(factories.token_for(person, "tokens:manage"))
    listed = client.get(f"{API}/auth/tokens", headers=manager).json["data"][-1]
    assert listed["scopes"] == ["runs:read", "something:else"]


@pytest.mark.parametrize("scopes", ["", "null", "{}", '"runs:read"', "[1, null]", "[" * 5000])
def test_unreadable_stored_scopes_open_nothing(app, client, person, raw, scopes) -> None:
    headers = factories.bearer(factories.token_for(person, "runs:read"))
    raw.execute("UPDATE api_token SET scopes_json = ?", [scopes])

    assert client.get(f"{API}/runs", headers=headers).status_code == 403


def test_unknown_accounts_wrong_passwords_and_disabled_accounts_get_the_same_answer(
    app, client, person, raw
) -> None:
    disabled = factories.account(disabled_at=factories.START)

    answers = [
        ask(client, person, email="nobody@example.org"),
        ask(client, person, password="not this one"),
        ask(client, disabled),
        ask(client, person, email="ÿ@example.org", password="é" * 30),
    ]

    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.json == answers[0].json
    assert answers[0].json["code"] == "invalid_credentials"


def test_an_address_is_compared_without_case(app, client, person) -> None:
    assert ask(client, person, email=person.email.upper()).status_code == 201


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("email", "x"), ("email", 1), ("email", "a@b.c\0"), ("email", "a" * 300 + "@example.org"),
        ("password", "short"), ("password", "p" * 129), ("password", None), ("password", 12345678),
        ("token_name", ""), ("token_name", "a b"), ("token_name", "n\n"), ("token_name", "n" * 51),
        ("expires_in_days", 0), ("expires_in_days", 91), ("expires_in_days", "5"),
        ("expires_in_days", True), ("expires_in_days", 1.5), ("scopes", ["root"]),
        ("scopes", "runs:read"), ("scopes", ["runs:read", "runs:read"]), ("scopes", [1]),
        ("scopes", ["runs:read"] * 9),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_by_name_and_never_shows_the_password(
    sqlite_app, client, person, key, value
) -> None:
    response = ask(client, person, **{key: value})

    assert response.status_code == 400
    assert any(
        name.partition(".")[0] in (key, "body") for name in response.json["details"]["fields"]
    )
    assert person.password not in response.text


def test_a_name_belongs_to_one_live_token(app, client, person, raw) -> None:
    first = ask(client, person).json

    taken = ask(client, person)
    assert (taken.status_code, taken.json["code"]) == (409, "token_name_taken")
    assert taken.json["details"] == {"token_id": first["token_id"]}
    assert "revoke that one or choose another token_name" in taken.json["message"]
    headers = factories.bearer(first["token"])
    assert client.delete(f"{API}/auth/tokens/current", headers=headers).status_code == 204
    assert client.get(f"{API}/runs", headers=headers).status_code == 401
    assert ask(client, person).status_code == 201
    raw.execute("UPDATE api_token SET expires_at = '2020-01-01 00:00:00'")
    assert ask(client, person).status_code == 201
    assert ask(client, factories.account()).status_code == 201


def test_one_revokes_ones_own_tokens_only(app, client, person) -> None:
    mine = ask(client, person, scopes=MANAGE).json
    other = ask(client, person, token_name="other", scopes=MANAGE).json
    foreign = ask(client, factories.account()).json
    headers = factories.bearer(mine["token"])
    url = f"{API}/auth/tokens"

    assert client.delete(f"{url}/{foreign['token_id']}", headers=headers).status_code == 404
    assert client.delete(f"{url}/2147483647", headers=headers).status_code == 404
    assert client.delete(f"{url}/{other['token_id']}", headers=headers).status_code == 204
    assert client.delete(f"{url}/{other['token_id']}", headers=headers).status_code == 204
    assert client.get(url, headers=factories.bearer(other["token"])).status_code == 401
    listed = client.get(url, headers=headers).json["data"]
    assert [
        (row["token_name"], row["is_current"], row["revoked_at"] is None) for row in listed
    ] == [
        ("other", False, False),
        ("laptop", True, True),
    ]


def test_a_token_with_less_neither_lists_nor_revokes_the_others(app, client, person) -> None:
    other = ask(client, person, token_name="other").json
    mine = ask(client, person, scopes=["runs:read"]).json
    headers = factories.bearer(mine["token"])
    url = f"{API}/auth/tokens"

    for refused in (
        client.get(url, headers=headers),
        client.delete(f"{url}/{other['token_id']}", headers=headers),
        client.delete(f"{url}/{mine['token_id']}", headers=headers),
    ):
        assert refused.status_code == 403
        assert refused.json["details"]["required_scope"] == "tokens:manage"
    alive = client.get(f"{API}/runs", headers=factories.bearer(other["token"]))
    assert alive.status_code == 200
    assert client.delete(f"{url}/current", headers=headers).status_code == 204
    assert client.get(f"{API}/runs", headers=headers).status_code == 401


def test_an_admin_lists_and_revokes_anybodys_tokens(app, client, person, raw) -> None:
    token = ask(client, person, scopes=MANAGE).json
    theirs = factories.bearer(token["token"])
    admin = factories.account("admin")
    headers = factories.bearer(ask(client, admin, scopes=MANAGE).json["token"])
    url = f"{API}/auth/tokens"

    refused = client.get(f"{url}?all=true", headers=theirs)
    listed = client.get(f"{url}?all=true", headers=headers).json
    own = client.get(url, headers=headers).json
    revoked = client.delete(f"{url}/{token['token_id']}", headers=headers)

    assert (refused.status_code, refused.json["details"]["required_roles"]) == (403, ["admin"])
    assert [row["user_id"] for row in listed["data"]] == [admin.id, person.id]
    assert listed["pagination"]["total"] == 2
    assert [row["user_id"] for row in own["data"]] == [admin.id]
    assert revoked.status_code == 204
    assert client.get(url, headers=theirs).status_code == 401
    ((by, details),) = raw.execute(
        "SELECT account_id, details FROM audit_event WHERE action = 'token.revoked'"
    )
    assert by == admin.id
    assert json.loads(details)["account_id"] == person.id


def test_runs_execute_is_an_admins_to_ask_for(app, client, person) -> None:
    refused = ask(client, person, scopes=["runs:execute"])
    admin = factories.account("admin")

    assert refused.status_code == 403
    assert ask(client, admin, scopes=["runs:execute"]).status_code == 201


@pytest.mark.parametrize("change", ["role", "disabled"])
def test_a_lowered_role_or_a_disabled_account_counts_at_once(app, client, raw, change) -> None:
    factories.regression_test()
    person = factories.account("tester")
    headers = factories.bearer(factories.token_for(person, "runs:write", "runs:read"))
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "a" * 40, "platform": "linux"}
    assert client.post(f"{API}/runs", json=body, headers=headers).status_code == 202

    if change == "role":
        raw.execute("UPDATE user SET role = 'user' WHERE id = ?", [person.id])
    else:
        raw.execute(
            "INSERT INTO account_record (user_id, disabled_at) VALUES (?, '2026-01-01 00:00:00')",
            [person.id],
        )

    expected = {"role": (403, 200), "disabled": (401, 401)}[change]
    assert client.post(f"{API}/runs", json=body, headers=headers).status_code == expected[0]
    assert client.get(f"{API}/runs", headers=headers).status_code == expected[1]


@pytest.mark.parametrize("role", ["nonsense", None, ""])
def test_an_unknown_role_opens_no_more_than_the_least(app, client, person, raw, role) -> None:
    factories.regression_test()
    headers = factories.bearer(factories.token_for(person, "runs:write", "runs:execute"))
    raw.execute("UPDATE user SET role = ? WHERE id = ?", [role, person.id])
    body = {"repository": factories.MAIN_REPOSITORY, "commit_sha": "a" * 40, "platform": "linux"}

    assert client.post(f"{API}/runs", json=body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "text",
    [None, "", "Bearer", "Bearer ", "bearer x", "Basic abc", "Bearer spci_", "Token spci_x",
     "Bearer " + "spci_" + "a" * 43, "Bearer \u00e9", "Bearer " + "x" * 5000],
)  # fmt: skip
def test_anything_but_a_live_token_is_401_with_a_challenge(sqlite_app, client, text) -> None:
    headers = {} if text is None else {"Authorization": text}

    response = client.get(f"{API}/runs", headers=headers)

    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer")
    given = text is not None and text.lower().startswith("bearer ") and bool(text[7:].strip())
    assert ('error="invalid_token"' in challenge) is given


def test_expired_and_revoked_tokens_are_401(app, client, person) -> None:
    for dead in ({"expires_at": factories.START}, {"revoked_at": factories.START}):
        headers = factories.bearer(factories.token_for(person, "runs:read", **dead))
        assert client.get(f"{API}/runs", headers=headers).status_code == 401
