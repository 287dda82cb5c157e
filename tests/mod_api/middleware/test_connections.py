"""A request gives its connection to the database back, whatever becomes of it."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from database import db
from mod_api.services.runs import runs
from tests import factories
from tests.runners import API


@pytest.fixture
def reader(site: Any) -> dict[str, str]:
    return factories.signed_in("user", "runs:read", "results:read")


def held(app: Flask) -> int:
    """How many connections are in use."""
    with app.app_context():
        return db.engine.pool.checkedout()


@pytest.mark.parametrize(
    "path", ["/runs", "/runs/{run}", "/runs/{run}/artifacts", "/runs/99", "/x"]
)
def test_a_read_gives_its_connection_back_before_it_is_answered(
    app: Flask, client: FlaskClient, reader: dict[str, str], path: str
) -> None:
    response = client.get(API + path.format(run=factories.run().id), headers=reader)

    assert held(app) == 0
    assert response.data


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
    client.get(url, headers=reader, query_string=query).close()

    assert seen == [0]


def test_an_answer_stands_when_its_connection_is_lost_after_the_last_row(
    app: Flask, client: FlaskClient, reader: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    list_runs = runs.list_runs

    def list_and_lose_connection(*args: Any, **kwargs: Any) -> Any:
        page = list_runs(*args, **kwargs)
        db.session.connection().connection.dbapi_connection.close()
        return page

    monkeypatch.setattr(runs, "list_runs", list_and_lose_connection)
    with capture_logs() as lines:
        response = client.get(f"{API}/runs", headers=reader)
    monkeypatch.undo()

    assert response.status_code == 200
    assert [line["event"] for line in lines] == ["snapshot_not_ended", "request"]
    assert held(app) == 0
    assert client.get(f"{API}/runs", headers=reader).status_code == 200


def test_who_is_refused_leaves_nothing_open(app: Flask, client: FlaskClient) -> None:
    wrong = {"Authorization": f"Bearer spci_{'x' * 43}"}

    response = client.get(f"{API}/runs", headers=wrong)
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

    response = client.get(f"{API}/runs", headers=reader)
    response.close()

    assert response.status_code == 500
    assert held(app) == 0


def test_each_request_is_logged_with_its_own_id(
    client: FlaskClient, reader: dict[str, str]
) -> None:
    with capture_logs() as lines:
        for name in ("first", "second"):
            client.get(f"{API}/runs", headers={**reader, "X-Request-Id": name})

    assert [line["request_id"] for line in lines] == ["first", "second"]
    assert all(line["sql"] >= 1 and line["status"] == 200 for line in lines)
