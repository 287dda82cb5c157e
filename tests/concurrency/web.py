"""The platform as it is really served: gunicorn on a free port, asked over HTTP."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.patience import PATIENCE_SECONDS, tries
from tests.servers import ROOT, free_port

# What a client does again: the server is away, or asks for another try.
AGAIN = (429, 500, 502, 503, 504)


@dataclass
class Server:
    """One gunicorn with its processes; it can be killed and started again on the same port."""

    settings: dict[str, str]
    processes: int
    log: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {**os.environ, **self.settings, "PORT": str(self.port)}
        command = [sys.executable, "-m", "gunicorn", "--workers", str(self.processes)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in tries(0.05):
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            with contextlib.suppress(requests.RequestException):
                if requests.get(f"{self.address}/api/v1/system/health", timeout=5).ok:
                    return

    def kill(self) -> None:
        """End every process at once, as a power cut would."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        self.kill()


@contextlib.contextmanager
def serving(
    url: str, repository: Path, folder: Path, *, processes: int, **settings: str
) -> Iterator[Server]:
    """A running server on a database and a sample repository, without limits unless given."""
    values = {
        "DATABASE_URL": url,
        "SAMPLE_REPOSITORY": str(repository),
        "SECRET_KEY": "only-for-tests-0123456789abcdefghijklmnopqrstuv",
        "PASSWORD_ROUNDS": "1000",
        **{f"RATE_LIMIT_{kind}": "off" for kind in ("READ", "WRITE", "AUTH", "RUNNER")},
        **settings,
    }
    server = Server(values, processes, folder / "server.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@dataclass(frozen=True)
class Answer:
    """A response as Flask's test client shows it."""

    status_code: int
    headers: Any
    data: bytes
    _json: Callable[[], Any]

    @property
    def json(self) -> Any:
        return self.get_json()

    def get_json(self) -> Any:
        return self._json()


class Http:
    """A client of a server with the calls of Flask's test client, one session for each thread.

    `persistent`: what gets no answer, or one that asks for another try, is tried again.
    """

    def __init__(self, server: Server, *, persistent: bool = False) -> None:
        self.server = server
        self.persistent = persistent
        self._local = threading.local()

    def post(self, path: str, **options: Any) -> Answer:
        return self.open("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:
        return self.open("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:
        return self.open("PATCH", path, **options)

    def get(self, path: str, **options: Any) -> Answer:
        return self.open("GET", path, **options)

    def open(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        content_type: str | None = None,
        data: Any = None,
        json: Any = None,
        query_string: Any = None,
    ) -> Answer:
        headers = dict(headers or {})
        options: dict[str, Any] = {"data": data}
        if content_type == "multipart/form-data":
            parts = {name: _part(value) for name, value in data.items()}
            options = {"files": parts}
        elif content_type:
            headers["Content-Type"] = content_type
        for _ in tries(0.05):
            try:
                response = self._session().request(
                    method,
                    self.server.address + path,
                    headers=headers,
                    json=json,
                    params=query_string,
                    timeout=PATIENCE_SECONDS,
                    **options,
                )
            except requests.RequestException:
                if not self.persistent:
                    raise
            else:
                again = self.persistent and response.status_code in AGAIN
                if not again:
                    break
        return Answer(response.status_code, response.headers, response.content, response.json)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
        session: requests.Session = self._local.session
        return session


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each of `works` returned, all begun at the same moment; raises what one raised."""
    barrier = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)
    raised: list[BaseException] = []

    def run(place: int, work: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            found[place] = work()
        except BaseException as error:  # noqa: BLE001  it is raised in the test's own thread
            raised.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return found


def _part(value: Any) -> Any:
    """A part as `requests` takes it; bytes, so that it can be sent again."""
    if not isinstance(value, tuple):
        return (None, value)
    stream, name, *kind = value
    return (name, stream.read(), *kind)
