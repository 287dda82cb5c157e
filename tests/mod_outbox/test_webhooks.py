"""Webhooks as their owner manages them, and as nobody else sees them."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from config import ROOT
from database import reading
from mod_api.services.system import run_metrics
from tests import factories
from tests.mod_outbox.conftest import Hooks
from tests.mod_outbox.receiver import Receiver
from tests.runners import API, LONG_AGO, accepted
from tests.sql import counted

URL = "https://example.org/hook"


def test_a_webhook_is_made_listed_changed_and_removed(app: Flask, hooks: Hooks) -> None:
    made = hooks.create(URL, "job.ended", description="ours")
    other = hooks.create(URL, "run.ended", all_runs=True)

    assert made.pop("secret").startswith("whsec_")
    assert hooks.get(made) == made
    assert (made["events"], made["all_runs"], made["enabled"]) == (["job.ended"], False, True)
    listed = accepted(hooks.ask("GET")).get_json()
    assert [one["webhook_id"] for one in listed["data"]] == [
        other["webhook_id"], made["webhook_id"]
    ]  # fmt: skip
    changed = hooks.ask(
        "PATCH", f"/{made['webhook_id']}", json={"events": ["run.ended"], "description": None}
    )
    assert accepted(changed).get_json()["events"] == ["run.ended"]
    assert hooks.ask("DELETE", f"/{made['webhook_id']}").status_code == 204
    assert hooks.ask("GET", f"/{made['webhook_id']}").status_code == 404
    audit = hooks.raw.execute("SELECT action, details FROM audit_event ORDER BY id")
    assert [action for action, _ in audit] == [
        "webhook.created", "webhook.created", "webhook.changed", "webhook.removed"
    ]  # fmt: skip
    assert not any("/hook" in details or "whsec" in details for _, details in audit)


def test_a_webhook_is_its_owners_only_also_for_an_admin(app: Flask, hooks: Hooks) -> None:
    hook = hooks.create(URL)
    delivery = hooks.test(hook)
    admin = factories.signed_in("admin", "jobs:write", "jobs:read", "system:read")
    one = f"{API}/webhooks/{hook['webhook_id']}"
    paths = [
        ("GET", one), ("PATCH", one), ("DELETE", one), ("POST", f"{one}/test"),
        ("POST", f"{one}/rotate-secret"), ("GET", f"{one}/deliveries"),
        ("POST", f"{one}/deliveries/{delivery['delivery_id']}/replay"),
    ]  # fmt: skip

    for method, path in paths:
        options: dict[str, Any] = {"json": {"enabled": False}} if method == "PATCH" else {}
        response = hooks.client.open(path, method=method, headers=admin, **options)
        assert response.status_code == 404, (method, path)
    assert accepted(hooks.client.get(f"{API}/webhooks", headers=admin)).get_json()["data"] == []
    assert hooks.get(hook)["enabled"] is True


def test_a_delivery_is_its_webhooks_only(app: Flask, hooks: Hooks) -> None:
    delivery, other = hooks.test(hooks.create(URL)), hooks.create(URL)

    path = f"/{other['webhook_id']}/deliveries/{delivery['delivery_id']}/replay"

    assert hooks.ask("POST", path).status_code == 404


def test_the_scopes_that_are_needed(sqlite_app: Flask, hooks: Hooks) -> None:
    reader = factories.signed_in("admin", "jobs:read", "runs:read")
    writer = factories.signed_in("admin", "jobs:write")
    body = {"url": URL, "events": ["run.ended"]}

    for headers in (reader, writer):
        refused = hooks.client.post(f"{API}/webhooks", json=body, headers=headers)
        assert refused.status_code == 403
    body["events"] = ["job.ended"]
    taken = hooks.client.post(f"{API}/webhooks", json=body, headers=writer)
    path = f"{API}/webhooks/{accepted(taken).get_json()['webhook_id']}"
    refused = hooks.client.patch(path, json={"events": ["run.ended"]}, headers=writer)
    assert refused.get_json()["details"]["required_scope"] == "runs:read"


def test_an_account_has_ten_at_most(app: Flask, hooks: Hooks) -> None:
    for _ in range(10):
        hooks.create(URL)

    refused = hooks.ask("POST", json={"url": URL, "events": ["job.ended"]})

    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_webhooks")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "https:///path", "https://user:password@example.org/",
        "https://example.org/#part", "https://example.org:0/", "https://example.org:99999/",
        "https://example.org/a b", "https://example.org/\r\nX: y", "https://exämple.org/",
        "https://[::1/", "javascript:alert(1)", "/relative",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be(sqlite_app: Flask, hooks: Hooks, url: str) -> None:
    refused = hooks.ask("POST", json={"url": url, "events": ["job.ended"]})

    assert refused.status_code == 400
    assert "url" in refused.get_json()["details"]["fields"]


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]"])
def test_an_address_that_nothing_is_delivered_to(
    sqlite_app: Flask, hooks: Hooks, host: str
) -> None:
    refused = hooks.ask("POST", json={"url": f"http://{host}/", "events": ["job.ended"]})

    assert (refused.status_code, refused.get_json()["code"]) == (422, "address_refused")
    hook = hooks.create(URL)
    changed = hooks.ask("PATCH", f"/{hook['webhook_id']}", json={"url": f"http://{host}/"})
    assert changed.get_json()["code"] == "address_refused"


def test_after_a_rotation_both_secrets_sign_for_a_day(
    app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    hook = hooks.create(receiver.url)
    path = f"/{hook['webhook_id']}/rotate-secret"
    new = accepted(hooks.ask("POST", path)).get_json()
    assert new["secret"] != hook["secret"]
    assert hooks.get(hook)["previous_secret_until"] is not None

    hooks.test(hook)
    hooks.deliver()
    hooks.raw.execute("UPDATE webhook SET old_salt_until = ?", [LONG_AGO])
    hooks.test(hook)
    hooks.deliver()

    both, one = receiver.messages
    assert both.verified(hook["secret"]) == both.verified(new["secret"])
    assert one.verified(new["secret"])
    assert len(both.headers["webhook-signature"].split()) == 2
    assert len(one.headers["webhook-signature"].split()) == 1
    assert hooks.get(hook)["previous_secret_until"] is None


def test_deliveries_are_paged_by_cursor(app: Flask, hooks: Hooks) -> None:
    hook = hooks.create(URL)
    ids = [hooks.test(hook)["delivery_id"] for _ in range(5)]
    path = f"/{hook['webhook_id']}/deliveries"

    first = accepted(hooks.ask("GET", path, query_string={"limit": 2})).get_json()
    hooks.test(hook)
    cursor = first["pagination"]["next_cursor"]
    second = accepted(
        hooks.ask("GET", path, query_string={"limit": 2, "cursor": cursor})
    ).get_json()

    found = [one["delivery_id"] for one in first["data"] + second["data"]]
    assert found == sorted(ids, reverse=True)[:4]
    assert len(hooks.deliveries(hook, state="waiting")) == 6
    assert hooks.deliveries(hook, state="delivered") == []


def test_the_documented_verification_is_right(
    sqlite_app: Flask, hooks: Hooks, receiver: Receiver
) -> None:
    text = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    example = text.partition("Without it:\n\n```python\n")[2].partition("```")[0]
    names: dict[str, Callable[..., bool]] = {}
    exec(example, names)  # type: ignore[arg-type]  # noqa: S102  our own document's
    hook = hooks.create(receiver.url)
    hooks.test(hook)
    hooks.deliver()

    (message,) = receiver.messages

    assert names["verify"](hook["secret"], message.headers, message.body)
    assert not names["verify"](hook["secret"], message.headers, message.body + b" ")


def test_the_check_warns_where_nothing_delivers(app: Flask, hooks: Hooks) -> None:
    hook = hooks.create(URL)
    hooks.test(hook)
    result = hooks.app.test_cli_runner().invoke(args=["check"])
    assert result.exception is None, repr(result.exception)
    said = result.stdout
    assert "outbox        1 webhooks are on; 1 messages wait." in said

    hooks.make_due()

    said = hooks.app.test_cli_runner().invoke(args=["check"]).stdout
    (line,) = [line for line in said.splitlines() if " outbox " in line]
    assert line.startswith("warn")
    assert "outbox deliver" in line


def test_the_metrics_of_the_outbox(app: Flask, hooks: Hooks, receiver: Receiver) -> None:
    hook = hooks.create(receiver.url)
    hooks.test(hook)
    hooks.deliver()
    receiver.mood = "error"
    hooks.test(hook)
    hooks.deliver()

    with hooks.app.app_context(), reading():
        found = run_metrics.state()

    assert found.waiting_messages == 1
    assert found.oldest_message_seconds >= 0
    assert found.tries == {
        "delivered": 1, "bad_status": 1, "redirect": 0, "timeout": 0, "unreachable": 0,
        "address_refused": 0,
    }  # fmt: skip


def test_a_page_costs_the_same_whatever_its_length(app: Flask, hooks: Hooks) -> None:
    hook = hooks.create(URL)
    hooks.test(hook)
    paths = ("/webhooks", f"/webhooks/{hook['webhook_id']}/deliveries")

    def costs() -> list[int]:
        counts = []
        for path in paths:
            with counted(hooks.app) as statements:
                accepted(hooks.client.get(f"{API}{path}", headers=hooks.headers))
            counts.append(len(statements))
        return counts

    few = costs()
    for _ in range(20):
        hooks.test(hook)
    for _ in range(8):
        hooks.create(URL)

    assert costs() == few
