"""What every test can ask for: applications on real databases, a client, a foreign writer.

`app` is made for each database in turn; `sqlite_app` is for tests where the database does not
matter. Both start with empty tables and an empty sample repository. No application context is
open while a test runs, since a request would then share its session with the test.
"""

import contextlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from config import READERS, Settings
from database import Base, db, migrating
from mod_api.services.logs import log_archive
from mod_api.services.outputs import caption_changes
from run import create_app
from tests import factories, servers
from tests.openapi import CheckedClient
from tests.raw import Raw
from tests.runners import Held, Runner, runner
from tests.web_server import Server

SETTINGS_DEFAULTS: dict[str, Any] = {
    "secret_key": "only-for-tests-0123456789abcdefghijklmnopqrstuv",
    "rate_limit_read": None,
    "rate_limit_write": None,
    "rate_limit_auth": None,
    "rate_limit_runner": None,
    "rate_limit_submit": None,
    "jobs": True,
    "password_rounds": 1000,
    # No slow machine outlives it; a test of a lease that ends says so.
    "lease_seconds": 3600,
}
SERVER_OF_FIXTURE = {"mariadb": "mariadb", "redis_url": "redis"}

LEFT_OUT = pytest.StashKey[int]()
# What the reason of a skip begins with that CI takes.
COUNTED = "engine not fit here: "

servers_of_session = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    # What the developer set is not what is tested, here and in the programs that tests start.
    for setting in READERS:
        os.environ.pop(setting.upper(), None)
    os.environ["FLASK_SKIP_DOTENV"] = "1"
    if not hasattr(config, "workerinput"):
        servers_of_session.enter_context(servers.session_folder())


def pytest_unconfigure(config: pytest.Config) -> None:
    servers_of_session.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = {
        "mariadb": servers.missing_mariadb(),
        "redis": servers.missing_redis(),
        "nginx": servers.missing_nginx(),
    }
    for item in items:
        for fixture, server in SERVER_OF_FIXTURE.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(server)
        for server, reason in missing.items():
            if reason and item.get_closest_marker(server):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow"):
            item.config.stash[LEFT_OUT] = item.config.stash.get(LEFT_OUT, 0) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the count of a worker of pytest-xdist; each has collected all tests."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any) -> Iterator[None]:
    """As the last lines before pytest's own: how many tests were left out or skipped, and why."""
    yield
    left_out = terminalreporter.config.stash.get(LEFT_OUT, 0)
    if left_out:
        terminalreporter.write_line(
            f"{left_out} slow tests are run by .ci/run or scripts/test --all"
        )
    for reason, count in sorted(skips(terminalreporter).items()):
        tests = "test" if count == 1 else "tests"
        terminalreporter.write_line(f"{count} {tests} skipped: {reason}", yellow=True)
    if fails_for_skips(terminalreporter):
        terminalreporter.write_line("CI skips nothing: that counts as failed.", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, 0)
    if fails_for_skips(session.config.pluginmanager.get_plugin("terminalreporter")):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def fails_for_skips(reporter: Any) -> bool:
    """Whether this is CI (`CI=true`), where every server is there, and a test was skipped.

    Engines of containers are not everywhere allowed to work: what they skip is only counted.
    """
    is_worker = reporter is None or hasattr(reporter.config, "workerinput")
    if is_worker or os.environ.get("CI") != "true":
        return False
    return any(not reason.startswith(COUNTED) for reason in skips(reporter))


def skips(reporter: Any) -> Counter[str]:
    reports = reporter.stats.get("skipped", [])
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)


@dataclass(frozen=True)
class Site:
    """An application, its migrated database and its files, kept for all tests of this process."""

    app: Flask
    url: str
    repository: Path

    def empty(self) -> None:
        self.repository.mkdir(parents=True, exist_ok=True)
        for entry in self.repository.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        with self.app.app_context():
            empty_tables()


def empty_tables() -> None:
    """Delete every row, again while triggers of deleted rows leave marks elsewhere, and begin
    another generation of what is kept, as a migration does."""
    sqlite = db.engine.dialect.name == "sqlite"
    off, on = (
        ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON")
        if sqlite
        else ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1")
    )
    probes = " UNION ALL ".join(
        f"SELECT '{name}' FROM (SELECT 1 FROM `{name}` LIMIT 1) AS `of_{name}`"
        for name in Base.metadata.tables
    )
    plain = db.engine.raw_connection()
    cursor = plain.cursor()
    try:
        cursor.execute(off)
        cursor.execute(probes)
        while filled := [name for (name,) in cursor.fetchall()]:
            for name in filled:
                cursor.execute(f"DELETE FROM `{name}`")
            plain.commit()
            cursor.execute(probes)
        generation = secrets.randbits(62)
        cursor.execute(f"INSERT INTO rollup_state (id, generation) VALUES (1, {generation})")
        plain.commit()
        cursor.execute(on)
    finally:
        cursor.close()
        plain.close()


def spread_ids() -> None:
    """Let each table count from another number, so that an id of the wrong table is not found."""
    with db.engine.begin() as connection:
        for place, table in enumerate(sorted(Base.metadata.tables.values(), key=lambda t: t.name)):
            if "id" not in table.columns:
                continue
            first = 1000 * (place + 1)
            if db.engine.dialect.name == "sqlite":
                connection.exec_driver_sql(
                    "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, first)
                )
            else:
                connection.exec_driver_sql(f"ALTER TABLE `{table.name}` AUTO_INCREMENT = {first}")


@pytest.fixture(scope="session")
def mariadb() -> servers.MariaDB:
    """The MariaDB server; a test that asks for it is marked `mariadb`."""
    return servers.mariadb()


@pytest.fixture(scope="session")
def worker() -> str:
    """The name of this process among the session's: its databases carry it."""
    return f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory, worker: str) -> Iterator[Callable[[str], Site]]:
    """`sites(dialect)`: the process's site on `sqlite` or `mariadb`, made the first time."""
    made: dict[str, Site] = {}
    name = f"tests_{worker}"

    def site(dialect: str) -> Site:
        if dialect not in made:
            folder = tmp_path_factory.mktemp(dialect)
            if dialect == "mariadb":
                servers.mariadb().fresh(name)
                url = servers.mariadb().url(name)
            else:
                url = f"sqlite:///{folder / 'platform.sqlite'}"
            repository = folder / "repository"
            settings = Settings(**SETTINGS_DEFAULTS, database_url=url, sample_repository=repository)
            app = create_app(settings)
            app.testing = True
            app.test_client_class = CheckedClient
            with app.app_context():
                migrating.upgrade()
                spread_ids()
            # What an application asks its database once, no test's statement count should meet.
            app.test_client().get("/api/v1/runs", headers={"Authorization": "Bearer none"})
            made[dialect] = Site(app, url, repository)
        return made[dialect]

    yield site
    for each in made.values():
        with each.app.app_context():
            db.engine.dispose()
    if "mariadb" in made:
        servers.mariadb().drop(name)


@pytest.fixture(
    params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)],
)
def _each_site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    return _ready(sites(request.param))


# On the test: `app` is on MariaDB only.
only_on_mariadb = pytest.mark.parametrize(
    "_each_site", [pytest.param("mariadb", marks=pytest.mark.mariadb)], indirect=True
)


@pytest.fixture
def _sqlite_site(sites: Callable[[str], Site]) -> Site:
    return _ready(sites("sqlite"))


def _ready(site: Site) -> Site:
    # The log of a run that the test before has ended may still be on its way into the archive.
    log_archive.pool.submit(lambda: None).result()
    site.empty()
    for memory in (caption_changes.WHOLE, caption_changes.SHORT):
        memory.clear()  # what was found of two contents would outlive the tables
    with site.app.app_context():
        factories.bind(db.engine)
    return site


@pytest.fixture
def app(_each_site: Site) -> Flask:
    """The application, with limits off, on each database in turn."""
    return _each_site.app


@pytest.fixture
def sqlite_app(_sqlite_site: Site) -> Flask:
    """The application on SQLite, for tests where the database does not matter."""
    return _sqlite_site.app


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    """The site of `app` in a test that asks for it (or a fixture of it does), else on SQLite."""
    name = "_each_site" if "_each_site" in request.fixturenames else "_sqlite_site"
    found: Site = request.getfixturevalue(name)
    return found


@pytest.fixture
def client(site: Site) -> FlaskClient:
    """A client of `app`, or of the SQLite application in a test that does not name `app`."""
    return site.app.test_client()


@pytest.fixture
def sample_repository(site: Site) -> Path:
    """The folder SAMPLE_REPOSITORY of the application, empty at the start of the test."""
    return site.repository


@pytest.fixture
def settings(site: Site) -> Callable[..., Settings]:
    """`settings(**overrides)`: the application's settings with some of them changed."""

    def make(**overrides: Any) -> Settings:
        values = {
            **SETTINGS_DEFAULTS,
            "database_url": site.url,
            "sample_repository": site.repository,
            **overrides,
        }
        return Settings(**values)

    return make


@pytest.fixture
def make_app(settings: Callable[..., Settings]) -> Iterator[Callable[..., Flask]]:
    """`make_app(**overrides)`: one more application on the same database, with other settings."""
    made: list[Flask] = []

    def make(**overrides: Any) -> Flask:
        app = create_app(settings(**overrides))
        app.testing = True
        app.test_client_class = CheckedClient
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def raw(site: Site) -> Iterator[Raw]:
    """A foreign program's own connection to the application's database."""
    with contextlib.closing(Raw(site.url)) as connection:
        yield connection


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path, worker: str) -> Iterator[str]:
    """The URL of a database without any table, for each kind of database in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite'}"
        return
    name = f"tests_empty_{worker}"
    servers.mariadb().fresh(name)
    yield servers.mariadb().url(name)
    servers.mariadb().drop(name)


@pytest.fixture
def redis_url(worker: str) -> str:
    """An empty Redis database; a test that asks for it is marked `redis`."""
    number = int("".join(filter(str.isdigit, worker.partition("_")[0])) or 0) % 16
    url = f"{servers.redis_server()}/{number}"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    """One server for each database, since starting one takes seconds."""
    servers: dict[str, Server] = {}
    yield servers
    for server in servers.values():
        server.kill()


@pytest.fixture
def server(
    site: Site, shared_servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Server:
    """A server with the usual settings that is up, whatever the tests before did to it."""
    if site.url not in shared_servers:
        log = tmp_path_factory.mktemp("server") / "log"
        shared_servers[site.url] = Server(
            log, database_url=site.url, sample_repository=site.repository
        )
    server = shared_servers[site.url]
    server.log.write_text("")
    return server if server.is_running else server.start()


@pytest.fixture
def serve(site: Site, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`serve(**settings)`: a server of the test's own, ended with it."""
    servers: list[Server] = []

    def start(**settings: object) -> Server:
        log = tmp_path / f"server-{len(servers)}.log"
        chosen = {"database_url": site.url, "sample_repository": site.repository, **settings}
        servers.append(Server(log, **chosen))
        return servers[-1].start()

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def someone(site: Site) -> dict[str, str]:
    """The headers of somebody who may read logs and runs."""
    return factories.signed_in("contributor", "system:read", "runs:read")


@pytest.fixture
def runners(site: Site) -> Runner:
    return runner(site.app.test_client())


@pytest.fixture
def held(runners: Runner) -> Held:
    """A run that a runner is on."""
    factories.run(tests=[factories.regression_test()])
    return runners.claim()
