"""A server whose listening socket systemd keeps: connections wait while it is restarted."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import pytest

from config import ROOT
from tests import factories
from tests.conftest import Site
from tests.patience import PATIENCE_SECONDS, until
from tests.raw import Raw
from tests.web_server import DEFAULTS

pytestmark = pytest.mark.slow

HEALTH = "/api/v1/system/health"
# As systemd starts a service: its sockets are the files from 3 on, and LISTEN_PID is who gets them.
AS_SYSTEMD = """
import os, sys
for place, number in enumerate(sys.argv[1:]):
    os.dup2(int(number), 3 + place)
os.environ.update(LISTEN_FDS=str(len(sys.argv) - 1), LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "gunicorn"])
"""


class Kept:
    """Two listening sockets, and the servers that are started on them one after the other."""

    def __init__(self, listening: list[socket.socket], site: Site, log: Path) -> None:
        self.port, self.metrics_port = (one.getsockname()[1] for one in listening)
        self.log = log
        # Whoever listens is not the server: HOST and PORT are not asked.
        self._environ = {
            **os.environ,
            **DEFAULTS,
            "PORT": "1",
            "METRICS_ADDRESS": f"127.0.0.1:{self.metrics_port}",
            "DATABASE_URL": site.url,
            "SAMPLE_REPOSITORY": str(site.repository),
        }
        self._listening = listening
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        numbers = [one.fileno() for one in self._listening]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", AS_SYSTEMD, *map(str, numbers)],
                cwd=ROOT,
                env=self._environ,
                pass_fds=numbers,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(PATIENCE_SECONDS) == 0
            self._process = None

    def ask(self, method: str, path: str, *, port: int | None = None, **fields: str) -> int:
        """Return the status of a request on a connection of its own, made only once."""
        connection = HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_SECONDS)
        form = urlencode(fields) if fields else None
        headers = {"User-Agent": "CCX/CI_BOT", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, path, body=form, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def kept(site: Site, tmp_path: Path) -> Iterator[Kept]:
    with ExitStack() as stack:
        listening = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=512))
            for _ in range(2)
        ]
        made = Kept(listening, site, tmp_path / "server.log")
        yield made
        made.stop()


def test_while_the_server_is_restarted_no_connection_is_refused_and_no_form_is_lost(
    kept: Kept, raw: Raw
) -> None:
    answers: list[int] = []
    over = threading.Event()

    run = factories.run(progress=["testing"])
    report = f"/progress-reporter/{run.id}/{run.token}"
    posted: list[str] = []

    def ask_on() -> None:
        while not over.is_set():
            answers.append(kept.ask("GET", HEALTH))

    def post_on() -> None:
        while not over.is_set():
            posted.append(f"line {len(posted)}")
            fields = {"type": "progress", "status": "testing", "message": posted[-1]}
            answers.append(kept.ask("POST", report, **fields))

    kept.start()
    threads = [threading.Thread(target=work) for work in (ask_on, ask_on, ask_on, post_on)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        least = len(answers) + 20
        until(lambda: len(answers) >= least)  # noqa: B023  waited for
        kept.stop()
        kept.start()
    least = len(answers) + 20
    until(lambda: len(answers) >= least)
    over.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    assert set(answers) == {200}, kept.log.read_text()[-3000:]
    told = raw.execute("SELECT message FROM test_progress WHERE message LIKE 'line %' ORDER BY id")
    assert [message for (message,) in told] == posted


def test_each_of_two_kept_sockets_serves_its_own_application(kept: Kept) -> None:
    kept.start()

    asked = [
        kept.ask("GET", path, port=port)
        for port in (kept.port, kept.metrics_port)
        for path in (HEALTH, "/metrics")
    ]

    assert asked == [200, 404, 404, 200]
