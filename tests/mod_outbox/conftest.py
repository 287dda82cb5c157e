"""A receiver, and an application that may deliver to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories
from tests.mod_outbox.receiver import Receiver, receiving
from tests.raw import Raw
from tests.runners import API, LONG_AGO, accepted

LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass(frozen=True)
class Hooks:
    """An account with its webhooks, and the deliverer."""

    app: Flask
    client: FlaskClient
    raw: Raw
    account: factories.AccountRow
    headers: dict[str, str]

    def ask(self, method: str, path: str = "", **options: Any) -> Any:
        url = f"{API}/webhooks{path}"
        return self.client.open(url, method=method, headers=self.headers, **options)

    def create(self, url: str, *events: str, **more: Any) -> Any:
        """A new webhook, as it is answered."""
        body = {"url": url, "events": events or ("job.ended", "run.ended"), **more}
        return accepted(self.ask("POST", json=body)).get_json()

    def get(self, hook: Any) -> Any:
        return accepted(self.ask("GET", f"/{hook['webhook_id']}")).get_json()

    def deliveries(self, hook: Any, **query: Any) -> list[Any]:
        path = f"/{hook['webhook_id']}/deliveries"
        found: list[Any] = accepted(self.ask("GET", path, query_string=query)).get_json()["data"]
        return found

    def test(self, hook: Any) -> Any:
        return accepted(self.ask("POST", f"/{hook['webhook_id']}/test")).get_json()

    def deliver(self) -> str:
        done = self.app.test_cli_runner().invoke(args=["outbox", "deliver"])
        assert done.exit_code == 0, done.output
        return done.stdout

    def make_due(self) -> None:
        """Let the time until each next try be over."""
        self.raw.execute("UPDATE outbox_message SET next_at = ?", [LONG_AGO])

    def deliver_due(self) -> str:
        self.make_due()
        return self.deliver()

    def count_messages(self) -> int:
        count: int = self.raw.execute("SELECT COUNT(*) FROM outbox_message")[0][0]
        return count


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hooks(make_app: Callable[..., Flask], raw: Raw) -> Hooks:
    app = make_app(webhook_networks=LOOPBACK)
    account = factories.account("contributor")
    token = factories.token_for(account, "jobs:read", "jobs:write", "runs:read", "runs:write")
    return Hooks(app, app.test_client(), raw, account, factories.bearer(token))
