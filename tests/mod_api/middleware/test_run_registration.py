"""Runs that the existing site inserts where our account may not create the trigger."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from config import Settings
from database import db, migrating
from mod_api.middleware import run_registration
from run import create_app
from tests import factories, servers
from tests.conftest import SETTINGS_DEFAULTS
from tests.raw import Raw
from tests.sql import counted

RUN = (
    "INSERT INTO test (platform, test_type, token, fork_id, branch, `commit`, pr_nr) "
    "VALUES ('linux', 'commit', ?, 1, 'master', ?, 0)"
)
FORK = "INSERT INTO fork (id, github) VALUES (1, 'https://github.com/CCExtractor/ccextractor.git')"


@pytest.fixture
def limited_app(mariadb: servers.MariaDB, worker: str, tmp_path: Path) -> Iterator[Flask]:
    """An application whose account may not create triggers, on a database of its own."""
    name = f"tests_limited_{worker}"
    mariadb.fresh(name)
    settings = Settings(
        **SETTINGS_DEFAULTS,
        database_url=mariadb.url(name, limited=True),
        sample_repository=tmp_path / "repository",
    )
    app = create_app(settings)
    with app.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
    yield app
    with app.app_context():
        db.engine.dispose()
    mariadb.drop(name)


@pytest.fixture
def site(limited_app: Flask) -> Iterator[Raw]:
    """The existing site's connection to the same database."""
    with closing(Raw(limited_app.extensions["settings"].database_url)) as connection:
        connection.execute(FORK)
        yield connection


def runs(app: Flask) -> list[int]:
    token = factories.token_for(factories.account(), "runs:read")
    answer = app.test_client().get("/api/v1/runs", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    return [run["run_id"] for run in answer.get_json()["data"]]


def test_a_run_is_there_at_the_first_request_after_it_was_inserted(
    limited_app: Flask, site: Raw
) -> None:
    assert runs(limited_app) == []
    site.execute(RUN, ["one", "a" * 40])
    first = site.last_id
    assert runs(limited_app) == [first]
    site.execute(RUN, ["two", "b" * 40])

    assert runs(limited_app) == [site.last_id, first]
    assert site.execute("SELECT count(*) FROM run_record") == [(2,)]


def test_a_run_that_is_committed_after_a_later_one_is_found_too(
    limited_app: Flask, site: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_registration, "THOROUGH_SECONDS", 0)
    with closing(Raw(limited_app.extensions["settings"].database_url)) as slow:
        slow.execute("BEGIN")
        slow.execute(RUN, ["slow", "a" * 40])
        slow_id = slow.last_id
        site.execute(RUN, ["quick", "b" * 40])
        assert runs(limited_app) == [site.last_id]
        slow.execute("COMMIT")

        assert sorted(runs(limited_app)) == [slow_id, site.last_id]


@pytest.mark.parametrize("path", ["/api/v1/system/health", "/api/v1/openapi.json", "/nowhere"])
def test_what_asks_for_no_runs_looks_for_none(
    limited_app: Flask, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Return whether the service is well is told at once, also while the database hangs."""
    looks: list[object] = []
    monkeypatch.setattr(run_registration, "stamp_what_is_new", looks.append)

    limited_app.test_client().get(path, headers={"Authorization": "Bearer x"})
    assert looks == []
    runs(limited_app)
    assert len(looks) == 1


def test_with_the_trigger_nothing_is_looked_for_after_the_first_request(
    sqlite_app: Flask,
) -> None:
    runs(sqlite_app)
    with counted(sqlite_app) as statements:
        runs(sqlite_app)

    assert not [statement for statement in statements if "max(run_record.test_id)" in statement]
