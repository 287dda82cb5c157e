"""Real servers for tests: a private MariaDB and a private Redis on loopback.

A server is started the first time a test asks for it, once for all workers of a test session, by
a keeper: a process of its own that outlives the worker that asked and ends with the session, also
when the session is killed. `TEST_MARIADB_URL` and `TEST_REDIS_URL` name servers to use instead.
"""

import contextlib
import ctypes
import fcntl
import functools
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import pymysql
import redis
from sqlalchemy.engine import URL, make_url

from tests.patience import tries

ROOT = Path(__file__).resolve().parent.parent
FOLDER_VARIABLE = "TEST_SESSION_FOLDER"
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin")
ALL_BUT_TRIGGER = (
    "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, REFERENCES, "
    "LOCK TABLES, CREATE TEMPORARY TABLES"
)


# Ours, unless the tests are to be run with the compiled one: `mysql+mysqldb`.
DRIVER = os.environ.get("TEST_MARIADB_DRIVER", "mysql+pymysql")


class ServerError(Exception):
    """A server did not start; the message ends with what it printed."""


@dataclass(frozen=True)
class MariaDB:
    """Where the server is, and two accounts: one may do everything, one may not create triggers."""

    host: str
    port: int
    user: str
    password: str
    limited_user: str | None = None

    def url(self, database: str, *, limited: bool = False) -> str:
        """The SQLAlchemy URL of `database`; with `limited`, as the account without triggers."""
        user = self.limited_user if limited else self.user
        return URL.create(
            DRIVER, user, self.password, self.host, self.port, database
        ).render_as_string(hide_password=False)

    def connect(self, database: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A plain connection that commits each statement."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )

    def execute(self, statement: str) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def fresh(self, database: str) -> None:
        """Make `database` exist and be empty."""
        self.execute(f"DROP DATABASE IF EXISTS `{database}`")
        self.execute(
            f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
        )

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS `{database}`")


def missing_mariadb() -> str | None:
    """Why no MariaDB can be had here; None when one can."""
    if os.environ.get("TEST_MARIADB_URL"):
        return None
    found = program("mariadbd") and program("mariadb-install-db")
    return None if found else "MariaDB is not installed"


def missing_redis() -> str | None:
    """Why no Redis can be had here; None when one can."""
    if os.environ.get("TEST_REDIS_URL") or program("redis-server"):
        return None
    return "Redis is not installed"


def missing_nginx() -> str | None:
    """Why no nginx can be had here; None when one can."""
    return None if program("nginx") else "nginx is not installed"


def program(name: str) -> str | None:
    """The path of a program, also where a plain user's PATH leaves the system's folders out."""
    return shutil.which(name, path=os.pathsep.join((os.environ["PATH"], *SYSTEM_FOLDERS)))


@functools.cache
def mariadb() -> MariaDB:
    """The session's MariaDB, started if need be. Raises ServerError."""
    given = os.environ.get("TEST_MARIADB_URL")
    if given:
        url = make_url(given)
        return MariaDB(
            url.host or "127.0.0.1", url.port or 3306, url.username or "", url.password or ""
        )
    return MariaDB(**_shared("mariadb"))


@functools.cache
def redis_server() -> str:
    """The URL of the session's Redis, without a database number. Raises ServerError."""
    given = os.environ.get("TEST_REDIS_URL")
    return given.rstrip("/") if given else str(_shared("redis")["url"])


@contextlib.contextmanager
def session_folder() -> Iterator[None]:
    """Where the session's processes meet; at the end the session's servers are stopped."""
    folder = Path(tempfile.mkdtemp(prefix="ci-tests-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        del os.environ[FOLDER_VARIABLE]
        for kept in folder.glob("*.keeper"):
            _stop_keeper(int(kept.read_text()))
        shutil.rmtree(folder, ignore_errors=True)


def _stop_keeper(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        keeper = psutil.Process(pid)
        keeper.terminate()
        keeper.wait(30)


def _shared(name: str) -> dict[str, Any]:
    """The address of the session's server `name`; whoever asks first starts its keeper."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    address = folder / f"{name}.json"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            _start_keeper(name, folder, address)
    found: dict[str, Any] = json.loads(address.read_text())
    return found


def _start_keeper(name: str, folder: Path, address: Path) -> None:
    log = folder / f"{name}.log"
    owner = (os.environ.get("PYTEST_XDIST_WORKER") and os.getppid()) or os.getpid()
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", name, str(folder), str(owner)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the tests, which still need their server
        )
    (folder / f"{name}.keeper").write_text(str(keeper.pid))
    for _ in tries(0.05):
        if address.exists():
            return
        if keeper.poll() is not None:
            raise ServerError(f"{name} did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _keep(name: str, folder: Path, owner: int) -> None:
    """What a keeper does: start the server, tell where it is, stop it when the session is over."""
    signal.signal(signal.SIGTERM, _leave)
    session = psutil.Process(owner)
    start: dict[str, Callable[[Path], tuple[subprocess.Popen[bytes], dict[str, Any]]]] = {
        "mariadb": _start_mariadb,
        "redis": _start_redis,
    }
    private = folder / name
    private.mkdir(mode=0o700)
    server, address = start[name](private)
    try:
        draft = folder / f"{name}.draft"
        draft.write_text(json.dumps(address))
        draft.replace(folder / f"{name}.json")
        session.wait()
    finally:
        server.kill()  # nothing of it is wanted, and an orderly end takes seconds
        server.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


@contextlib.contextmanager
def own_mariadb(folder: Path) -> Iterator[MariaDB]:
    """A server for one test alone, whose settings it may change."""
    server, address = _start_mariadb(folder)
    try:
        yield MariaDB(**address)
    finally:
        server.kill()
        server.wait()


def _start_mariadb(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    data = folder / "data"
    user = getpass.getuser()
    subprocess.run(
        [
            program("mariadb-install-db") or "",
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={folder}",  # its temporary tables are named after the process only
            f"--user={user}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--innodb-log-file-size=16M",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    address = MariaDB("127.0.0.1", free_port(), "platform", secrets.token_urlsafe(24), "limited")
    accounts = folder / "accounts.sql"
    accounts.write_text(
        f"CREATE USER platform@'127.0.0.1' IDENTIFIED BY '{address.password}';\n"
        "GRANT ALL ON *.* TO platform@'127.0.0.1' WITH GRANT OPTION;\n"
        f"CREATE USER limited@'127.0.0.1' IDENTIFIED BY '{address.password}';\n"
        f"GRANT {ALL_BUT_TRIGGER} ON *.* TO limited@'127.0.0.1';\n"
        f"ALTER USER root@localhost IDENTIFIED BY '{secrets.token_urlsafe(24)}';\n"
    )
    server = _server(
        [
            program("mariadbd") or "",
            "--no-defaults",
            f"--user={user}",
            f"--datadir={data}",
            f"--tmpdir={folder}",
            f"--socket={_socket(folder)}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={accounts}",
            "--bind-address=127.0.0.1",
            f"--port={address.port}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",
            # Far from UTC, and from most machines' own zone: whoever mixes them up is told.
            "--default-time-zone=+05:00",
            "--max-connections=400",
            "--innodb-lock-wait-timeout=20",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-log-file-size=16M",
            "--innodb-buffer-pool-size=64M",
            "--performance-schema=OFF",
        ]
    )
    _wait_for(server, lambda: address.connect().close(), pymysql.err.OperationalError)
    accounts.unlink()
    return server, asdict(address)


def _socket(folder: Path) -> Path:
    """A socket's path may have some 100 bytes; the server is asked over TCP anyway."""
    path = folder / "socket"
    return path if len(str(path)) < 100 else Path("/tmp") / f"{folder.parent.name}.socket"  # noqa: S108


def _start_redis(folder: Path) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    port = free_port()
    command = f"redis-server --bind 127.0.0.1 --port {port} --appendonly no --save".split()
    command[0] = program("redis-server") or ""
    server = _server([*command, "", "--dir", str(folder)])
    url = f"redis://127.0.0.1:{port}"

    def ask() -> None:
        with redis.Redis.from_url(url) as client:
            client.ping()

    _wait_for(server, ask, redis.exceptions.ConnectionError)
    return server, {"url": url}


def _server(command: list[str]) -> subprocess.Popen[bytes]:
    # The kernel ends the server with its keeper, should the keeper itself be killed.
    die_with_parent = functools.partial(ctypes.CDLL(None).prctl, 1, signal.SIGKILL)
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  no threads here
    )


def _wait_for(
    server: subprocess.Popen[bytes], ask: Callable[[], None], refused: type[Exception]
) -> None:
    for _ in tries(0.05):
        try:
            ask()
        except refused:
            if server.poll() is not None:
                raise
        else:
            return


def free_port() -> int:
    """A port of loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    _keep(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
