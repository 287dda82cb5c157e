"""What is done once an answer is sent: by a server that says that it closes answers then."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from database import db, snapshots
from mod_api.middleware import once_sent
from mod_api.middleware.once_sent import CLOSES_ONCE_SENT
from tests import factories
from tests.runners import API

CLOSES = {CLOSES_ONCE_SENT: True}


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "results:read")


def held(app: Flask) -> int:
    """Return how many connections are in use."""
    with app.app_context():
        return db.engine.pool.checkedout()


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/runs", 1),
        ("/runs/{run}", 1),
        ("/runs/{run}/artifacts", 0),  # asks the storage in between
        ("/runs/99", 0),
        ("/x", 0),
    ],
)
def test_a_read_gives_its_connection_back_once_it_is_answered(
    app: Flask, client: FlaskClient, reader: dict[str, str], path: str, left: int
) -> None:
    url = API + path.format(run=factories.run().id)

    client.get(url, headers=reader)
    assert held(app) == 0  # whoever serves it may never close an answer

    response = client.get(url, headers=reader, environ_overrides=CLOSES)
    assert response.data
    assert held(app) == left
    response.close()
    assert held(app) == 0


def test_no_connection_is_held_while_a_storage_is_asked(
    app: Flask, client: FlaskClient, reader: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, test = factories.run(progress=["testing"]), factories.regression_test()
    factories.result(run, test)
    url = f"{API}/runs/{run.id}/samples/{test.sample.id}/expected"
    seen: list[int] = []

    def inline(*_: Any, missing: Exception, **__: Any) -> None:
        seen.append(held(app))
        raise missing

    monkeypatch.setattr("mod_api.services.outputs.outputs.inline", inline)
    query = {"regression_id": test.id, "output_id": test.output.id}
    client.get(url, headers=reader, query_string=query, environ_overrides=CLOSES).close()

    assert seen == [0]


def test_an_answer_stands_whatever_happens_to_the_connection_after_it(
    app: Flask, client: FlaskClient, reader: dict[str, str]
) -> None:
    def lose_connection(response: Any) -> Any:
        for snapshot in snapshots.waiting():
            snapshot.connection.connection.dbapi_connection.close()
            once_sent.do(snapshot.end, response)
        return response

    app.after_request_funcs[None].append(lose_connection)  # it comes before all others
    try:
        with capture_logs() as lines:
            response = client.get(f"{API}/runs", headers=reader, environ_overrides=CLOSES)
            response.close()
    finally:
        app.after_request_funcs[None].remove(lose_connection)

    assert response.status_code == 200
    assert [line["event"] for line in lines] == ["not_done_after_an_answer", "request"]
    assert held(app) == 0
    assert client.get(f"{API}/runs", headers=reader).status_code == 200


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

    monkeypatch.setattr("mod_api.services.runs.runs.list_runs", fail)
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
