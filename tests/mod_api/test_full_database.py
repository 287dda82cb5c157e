"""A MariaDB at its `max_connections`: what is answered and logged meanwhile, and afterwards."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from database import db, migrating
from tests import factories, servers

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]

TOO_MANY_CONNECTIONS = 1040


@pytest.fixture
def full_app(make_app: Callable[..., Flask], site: Any, tmp_path: Path) -> Iterator[Flask]:
    """An application on a server of its own, as an account without a place that is kept free."""
    if servers.missing_mariadb():
        pytest.skip(servers.missing_mariadb() or "")
    folder = tmp_path / "own"
    folder.mkdir()
    with servers.own_mariadb(folder) as mariadb:
        mariadb.fresh("site")
        mariadb.execute("CREATE USER ci@'127.0.0.1' IDENTIFIED BY 'secret'")
        mariadb.execute("GRANT ALL ON site.* TO ci@'127.0.0.1'")
        mariadb.execute("SET GLOBAL max_connections = 10")  # the least there is
        url = sa.make_url(mariadb.url("site")).set(username="ci", password="secret")
        app = make_app(database_url=url.render_as_string(hide_password=False))
        with app.app_context():
            migrating.upgrade()
        admin = sa.create_engine(mariadb.url("site"))
        factories.bind(admin)
        yield app
        admin.dispose()
        with app.app_context():
            db.engine.dispose()


@contextlib.contextmanager
def without_a_place(app: Flask) -> Iterator[None]:
    """Others take every connection that the server gives, the application's, too."""
    with app.app_context():
        url = db.engine.url
        db.engine.dispose()
    with contextlib.ExitStack() as stack:
        with pytest.raises(pymysql.err.OperationalError) as refused:
            while True:
                connection = pymysql.connect(
                    host=url.host, port=url.port, user=url.username, password=url.password
                )
                stack.enter_context(contextlib.closing(connection))
        assert refused.value.args[0] == TOO_MANY_CONNECTIONS
        yield


def test_requests_are_told_to_come_back_and_are_served_when_there_is_a_place(
    full_app: Flask,
) -> None:
    client = full_app.test_client()
    headers = factories.signed_in("admin", "runs:read", "runs:write", "runs:execute")
    run = factories.run()
    asked: list[Callable[[], Any]] = [
        lambda: client.get("/api/v1/runs", headers=headers),
        lambda: client.post(f"/api/v1/runs/{run.id}/cancel", json={}, headers=headers),
        lambda: client.post(
            "/api/v1/attempts", json={"platform": "linux", "runner_name": "r"}, headers=headers
        ),
    ]

    with without_a_place(full_app), capture_logs() as logs:
        refused = [ask() for ask in asked]
    served = [ask().status_code for ask in asked[:2]]

    assert [answer.status_code for answer in refused] == [503] * 3
    for answer in refused:
        assert answer.headers["Retry-After"] == str(answer.json["details"]["retry_after"])
    assert not [entry for entry in logs if "exc_info" in entry]
    assert served == [200, 202]


def test_settling_that_gets_no_connection_is_one_line_and_is_made_up_for(full_app: Flask) -> None:
    client: FlaskClient = full_app.test_client()
    headers = factories.signed_in("user", "runs:read")
    run = factories.run(progress=["testing", "completed"])
    answers = [client.get(f"/api/v1/runs/{run.id}", headers=headers) for _ in range(3)]

    with without_a_place(full_app), capture_logs() as logs:
        for answer in answers:
            answer.close()  # settles
    again = client.get(f"/api/v1/runs/{run.id}", headers=headers)

    assert [answer.status_code for answer in (*answers, again)] == [200] * 4
    (failed,) = [entry for entry in logs if entry["event"] == "marks_not_settled"]
    assert "exc_info" not in failed
    assert failed["error"].startswith("OperationalError: ")
    assert str(TOO_MANY_CONNECTIONS) in failed["error"]
