"""`GET /audit-log`: administrators read who did what, and nobody edits it."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.factories import PASSWORD
from tests.sql import counted

URL = "/api/v1/audit-log"


@pytest.fixture
def admin(site: Any) -> dict[str, str]:
    return factories.signed_in("admin", "system:read", "runs:write", name="root")


def read(client: FlaskClient, by: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"{URL}?{query}", headers=by)
    assert answer.status_code == 200, answer.json
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def sign_in(client: FlaskClient, account: Any, name: str) -> Any:
    body = {"email": account.email, "password": PASSWORD, "token_name": name}
    return client.post("/api/v1/auth/tokens", json=body).json


def test_what_people_did_is_read_newest_first(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    person = factories.account("contributor", name="Ada")
    token = sign_in(client, person, "laptop")
    client.delete("/api/v1/auth/tokens/current", headers=factories.bearer(token["token"]))
    run = factories.run(tests=[factories.regression_test()])
    client.post(f"/api/v1/runs/{run.id}/cancel", json={"reason": "Not needed"}, headers=admin)

    canceled, revoked, created = read(client, admin)

    assert (canceled["action"], canceled["account"]) == ("run.canceled", "root")
    assert (canceled["subject_type"], canceled["subject_id"]) == ("run", run.id)
    assert canceled["details"]["reason"] == "Not needed"
    assert (revoked["action"], revoked["account"]) == ("token.revoked", "Ada")
    assert created["account_id"] == person.id
    assert created["event_id"] < revoked["event_id"] < canceled["event_id"]


def test_secrets_never_appear(app: Flask, client: FlaskClient, admin: dict[str, str]) -> None:
    person = factories.account("contributor")
    token = sign_in(client, person, "laptop")["token"]
    run = factories.run(tests=[factories.regression_test()])
    reason = f"my token is {token}"
    client.post(f"/api/v1/runs/{run.id}/cancel", json={"reason": reason}, headers=admin)

    text = client.get(URL, headers=admin).get_data(as_text=True)

    assert token not in text
    assert PASSWORD not in text
    assert "[secret]" in text


def test_events_are_found_by_action_account_and_subject(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    ada, bob = (factories.account("contributor", name=name) for name in ("Ada", "bob"))
    sign_in(client, ada, "first")
    sign_in(client, bob, "second")
    run = factories.run(tests=[factories.regression_test()])
    client.post(f"/api/v1/runs/{run.id}/cancel", headers=admin)

    def found(query: str) -> list[str]:
        return [event["account"] for event in read(client, admin, query)]

    assert found("action=token.created") == ["bob", "Ada"]
    assert found("action=TOKEN.created") == []
    assert found("account=Ada") == ["Ada"]
    assert found("account=ada") == []
    assert found(f"account_id={bob.id}") == ["bob"]
    assert found(f"subject_type=run&subject_id={run.id}") == ["root"]
    assert found(f"subject_type=token&subject_id={run.id}") == []
    assert found("action=token.created&limit=1&offset=1") == ["Ada"]


@pytest.mark.parametrize("role", ["user", "tester", "contributor"])
def test_only_administrators_read_it(sqlite_app: Flask, client: FlaskClient, role: str) -> None:
    answer = client.get(URL, headers=factories.signed_in(role, "system:read"))

    assert answer.status_code == 403
    assert answer.json["details"]["required_roles"] == ["admin"]


def test_an_administrators_token_needs_the_scope(sqlite_app: Flask, client: FlaskClient) -> None:
    answer = client.get(URL, headers=factories.signed_in("admin", "runs:read"))

    assert answer.status_code == 403
    assert answer.json["details"]["required_scope"] == "system:read"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("url", [URL, f"{URL}/1"])
def test_nothing_edits_it(
    sqlite_app: Flask, client: FlaskClient, admin: dict[str, str], method: str, url: str
) -> None:
    answer = client.open(url, method=method, headers=admin)

    assert answer.status_code in (404, 405)


def test_a_long_log_costs_what_a_short_one_does(
    app: Flask, client: FlaskClient, admin: dict[str, str]
) -> None:
    person = factories.account("contributor")

    def cost() -> int:
        with counted(app) as statements:
            read(client, admin, "limit=100")
        return len(statements)

    for number in range(3):
        sign_in(client, person, f"few-{number}")
    few = cost()
    for number in range(20):
        sign_in(client, person, f"many-{number}")

    assert cost() == few <= 6
