"""A real gunicorn with the repository's own configuration, in the hands of a test."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from config import ROOT
from tests.patience import PATIENCE_SECONDS, tries
from tests.servers import free_port

DEFAULTS = {
    "SECRET_KEY": "only-for-tests-0123456789abcdefghijklmnopqrstuv",
    "RATE_LIMIT_READ": "off",
    "RATE_LIMIT_WRITE": "off",
    "RATE_LIMIT_AUTH": "off",
    "RATE_LIMIT_RUNNER": "off",
    "RATE_LIMIT_SUBMIT": "off",
    "JOBS": "on",
    "PASSWORD_ROUNDS": "1000",
    "LEASE_SECONDS": "3600",  # no slow machine outlives it
    "HOST": "127.0.0.1",
}


class Server:
    """A server on one port, which can be stopped and started again; `root` has its program."""

    def __init__(self, log: Path, *, root: Path = ROOT, **settings: object) -> None:
        self.port = free_port()
        self.log = log
        self._root = root
        chosen = {name.upper(): str(value) for name, value in settings.items()}
        self._environ = {**os.environ, **DEFAULTS, "PORT": str(self.port), **chosen}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn"],
                cwd=self._root,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        for _ in tries(0.05):
            if self.is_up():
                break
            assert self.is_running, f"the server did not start:\n{self.told()[-4000:]}"
        return self

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_up(self) -> bool:
        try:
            return self.get("/api/v1/system/health").status == 200
        except OSError:
            return False

    def is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        self.terminate()
        self.wait()

    def terminate(self) -> None:
        """Ask the server to end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        """Wait for a server that was asked to end."""
        assert self._process is not None
        self._process.wait(PATIENCE_SECONDS)
        self._process = None

    def kill(self) -> None:
        """End the server and its workers, whatever they are doing."""
        process, self._process = self._process, None
        if process is None:
            return
        for child in _children(process.pid):
            child.kill()
        process.kill()
        process.wait(PATIENCE_SECONDS)

    def restart(self) -> None:
        self.stop()
        self.start()

    def worker(self) -> psutil.Process:
        """The process that answers."""
        assert self._process is not None
        (only,) = psutil.Process(self._process.pid).children()
        return only

    def memory(self) -> int:
        """Return how many bytes of memory the process that answers has."""
        return int(self.worker().memory_info().rss)

    def memory_peak_from_now(self) -> Callable[[], int]:
        """`grown()`: by how many bytes the memory has grown since at the most (Linux)."""
        process = Path("/proc") / str(self.worker().pid)
        (process / "clear_refs").write_text("5")
        before = self.memory()

        def grown() -> int:
            peak = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
            assert peak is not None
            return int(peak[1]) * 1024 - before

        return grown

    def told(self) -> str:
        """What the server printed."""
        return self.log.read_text(errors="replace")

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> "Reply":
        return self.ask("GET", path, headers=headers)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "Reply":
        """One request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Reply(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()


class Reply:
    """An answer; header names are in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
