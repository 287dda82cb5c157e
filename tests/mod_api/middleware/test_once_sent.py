"""What is done once an answer is sent: by a server that says that it closes answers then."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from database import db
from mod_api.streaming.environ import CLOSES_ONCE_SENT
from tests import factories
from tests.runners import API

CLOSES = {CLOSES_ONCE_SENT: True}


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "results:read")


def held(app: Flask) -> int:
    """How many connections are in use."""
    with app.app_context():
        count: int = db.engine.pool.checkedout()  # type: ignore[attr-defined]  # a QueuePool
        return count


@pytest.mark.parametrize(
    "path", ["/runs", "/runs/{run}", "/runs/{run}/artifacts", "/runs/99", "/x"]
)
def test_a_read_gives_its_connection_back_once_it_is_answered(
    app: Flask, client: FlaskClient, reader: dict[str, str], path: str
) -> None:
    url = API + path.format(run=factories.run().id)

    client.get(url, headers=reader)
    assert held(app) == 0  # whoever serves it may never close an answer

    response = client.get(url, headers=reader, environ_overrides=CLOSES)
    assert response.data
    assert held(app) == (0 if path == "/x" else 1)
    response.close()
    assert held(app) == 0


def test_two_reads_of_a_view_are_both_given_back(
    app: Flask, client: FlaskClient, reader: dict[str, str]
) -> None:
    run, test = factories.run(progress=["testing"]), factories.regression_test()
    factories.result(run, test)
    url = f"{API}/runs/{run.id}/samples/{test.sample.id}/expected"
    query = {"regression_id": test.id, "output_id": test.output.id}

    response = client.get(url, headers=reader, query_string=query, environ_overrides=CLOSES)
    assert held(app) >= 1
    response.close()

    assert held(app) == 0


def test_who_is_refused_leaves_nothing_open(app: Flask, client: FlaskClient) -> None:
    wrong = {"Authorization": f"Bearer spci_{'x' * 43}"}

    response = client.get(f"{API}/runs", headers=wrong, environ_overrides=CLOSES)
    response.close()

    assert response.status_code == 401
    assert held(app) == 0


def test_a_view_that_fails_leaves_nothing_open(
    app: Flask, client: FlaskClient, reader: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("mod_api.services.runs.list_runs", fail)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)

    response = client.get(f"{API}/runs", headers=reader, environ_overrides=CLOSES)
    response.close()

    assert response.status_code == 500
    assert held(app) == 0


def test_a_request_is_told_once_it_is_answered_with_its_own_id(
    client: FlaskClient, reader: dict[str, str]
) -> None:
    ids = [{**reader, "X-Request-Id": name} for name in ("first", "second")]

    with capture_logs() as lines:
        responses = [
            client.get(f"{API}/runs", headers=headers, environ_overrides=CLOSES) for headers in ids
        ]
        assert lines == []
        for response in reversed(responses):
            response.close()

    assert [line["request_id"] for line in lines] == ["second", "first"]
    assert all(line["sql"] >= 1 and line["status"] == 200 for line in lines)
