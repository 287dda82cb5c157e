"""A MariaDB of the benchmarks' own, in a folder that is kept.

Serves it until Ctrl-C and prints its address. The other commands start it by themselves
(`--mariadb FOLDER`) and use one that runs already.
"""

import argparse
import contextlib
import ctypes
import fcntl
import functools
import getpass
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pymysql

from tests.servers import MariaDB, ServerError, free_port, program

# As in production; everything else is MariaDB's default. Benchmarks print them.
SETTINGS = ("--innodb-buffer-pool-size=2G",)
START_SECONDS, STOP_SECONDS = 120, 300


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="where the server keeps its data")
    parser.add_argument("--shell", action="store_true", help="open the mariadb client instead")


def main(asked: argparse.Namespace) -> int:
    """Serve, or open a shell, until the person has enough."""
    with running(asked.folder) as server:
        if asked.shell:
            return subprocess.call([program("mariadb") or "mariadb", *_client_options(server)])
        print(f"{server.url('DATABASE')}\n{' '.join(SETTINGS)}\nCtrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


def _client_options(server: MariaDB) -> list[str]:
    return [
        f"--host={server.host}", f"--port={server.port}", f"--user={server.user}",
        f"--password={server.password}",
    ]  # fmt: skip


@contextlib.contextmanager
def running(folder: Path) -> Iterator[MariaDB]:
    """The server whose data is in `folder`, made the first time; stopped at the end unless it was
    running before. Raises ServerError."""
    folder = folder.expanduser().resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server, process = _reached(folder)
    try:
        yield server
    finally:
        if process is not None:
            process.terminate()
            process.wait(STOP_SECONDS)


def _reached(folder: Path) -> tuple[MariaDB, "subprocess.Popen[bytes] | None"]:
    """The server, and its process if it had to be started."""
    address = folder / "address.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two commands at once: one starts, the other finds it
        if address.exists():
            known = MariaDB(**json.loads(address.read_text()))
            if _answers(known):
                return known, None
            server = MariaDB(**{**asdict(known), "port": free_port()})
        else:
            server = MariaDB("127.0.0.1", free_port(), "platform", secrets.token_urlsafe(24))
        process = _started(folder, server)
        address.write_text(json.dumps(asdict(server)))
        address.chmod(0o600)
        return server, process


def _answers(server: MariaDB) -> bool:
    with contextlib.suppress(pymysql.err.MySQLError):
        server.connect().close()
        return True
    return False


def _started(folder: Path, server: MariaDB) -> "subprocess.Popen[bytes]":
    data, log = folder / "data", folder / "server.log"
    user = f"--user={getpass.getuser()}"
    if not data.exists():
        command = [
            program("mariadb-install-db") or "mariadb-install-db", "--no-defaults",
            f"--datadir={data}", user, "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    accounts = folder / "accounts.sql"
    accounts.touch(mode=0o600)
    accounts.write_text(
        f"CREATE OR REPLACE USER platform@'127.0.0.1' IDENTIFIED BY '{server.password}';\n"
        "GRANT ALL ON *.* TO platform@'127.0.0.1';\n"
        f"ALTER USER root@localhost IDENTIFIED BY '{secrets.token_urlsafe(24)}';\n"
    )
    # The kernel ends the server with the command that started it, should that be killed.
    end_with_parent = functools.partial(ctypes.CDLL(None).prctl, 1, signal.SIGTERM)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                program("mariadbd") or "mariadbd", "--no-defaults", user, f"--datadir={data}",
                f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}",
                f"--init-file={accounts}", "--bind-address=127.0.0.1", f"--port={server.port}",
                "--skip-name-resolve", *SETTINGS,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  no threads
            start_new_session=True,  # Ctrl-C is for the command, which stops it in order
        )  # fmt: skip
    until = time.monotonic() + START_SECONDS
    while not _answers(server):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            raise ServerError(f"MariaDB did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
    accounts.unlink()
    return process
