"""Servers on the tests' own database and files, and runs whose logs grow."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import factories
from tests.conftest import Site
from tests.mod_api.streaming.serving import Server
from tests.runners import Held, Runner, runner


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
