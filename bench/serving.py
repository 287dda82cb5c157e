"""Servers as in production: gunicorn with `gunicorn.conf.py` and two processes."""

import contextlib
import http.client
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psutil
import structlog

from config import ROOT
from tests.servers import free_port

API, BARE = "run:create_app()", "bench.bare:create_app()"
PROCESSES = 2
# Of this process's variables; a developer's own settings are not what is measured.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
START_SECONDS, STOP_SECONDS = 60, 60


class ServerEnded(Exception):
    """A server did not start; the message ends with what it printed."""


@dataclass(frozen=True)
class Server:
    """A server on loopback, by its port and its master process."""

    port: int
    master: int

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept between requests."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        return sorted(psutil.Process(self.master).children(), key=lambda child: child.pid)


@contextlib.contextmanager
def served(application: str, environment: Mapping[str, str]) -> Iterator[Server]:
    """Serve an application with these settings until the end. Raises ServerEnded."""
    port = free_port()
    known = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", application],
            cwd=ROOT,
            env={
                **known, **environment, "PORT": str(port), "HOST": "127.0.0.1",
                "WEB_CONCURRENCY": str(PROCESSES),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the command, which stops it in order
        )  # fmt: skip
        server = Server(port, process.pid)
        try:
            if not _answers(server, process):
                log.seek(0)
                raise ServerEnded(f"{application}:\n{log.read()[-4000:].decode(errors='replace')}")
            yield server
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _answers(server: Server, process: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = server.connect()
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()
            if len(server.workers()) == PROCESSES:
                return True
        time.sleep(0.05)
    return False


def resident(process: psutil.Process) -> int:
    """The resident memory of a process, in bytes."""
    size: int = process.memory_info().rss
    return size


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Meanwhile an application in this process logs to a file that is thrown away."""
    before = structlog.get_config()
    with tempfile.TemporaryFile("w") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=log))
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
            structlog.configure(**before)
