"""`uvicorn ci_server.app:app`: the platform as a job server for this machine, with one runner.

The application is the one that gunicorn serves. This makes what it needs when uvicorn starts it:
the tables, an account for who asks without a token, and a runner as a child process. For several
machines use gunicorn and runners of their own (docs/deploy.md).
"""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from config import ROOT, Settings, SettingsError
from database import db, migrating, reading, writing
from mod_api.streaming.hub import end_streams
from mod_api.streaming.shutdown_event import shutting_down
from mod_auth import accounts, tokens
from mod_auth.models import Role
from mod_auth.scopes import Scope
from run import create_app
from server.bridge import Bridge, Send
from server.request_body import Receive
from server.worker import CLAIMS_AT_WORK, may_wait

USUAL_FILE = "ci_jobs.db"
LOCAL_ACCOUNT = "local@localhost.invalid"
THREADS = 16
RUNNER_ENDS_WITHIN_S = 30
DAYS = 365


class App:
    """An ASGI application: the platform, its runner, and the beginning and end of both."""

    def __init__(self) -> None:
        self._bridge: Bridge | None = None
        self._runner: subprocess.Popen[bytes] | None = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and self._bridge is not None:
            await self._bridge(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            settings = _settings()
            app = create_app(settings)
            with app.app_context():
                token_file = _prepare(settings)
            self._bridge = Bridge(
                app,
                threads=THREADS,
                waiting_threads=settings.max_waiters + CLAIMS_AT_WORK,
                may_wait=may_wait,
                patience=settings.client_timeout,
            )
            self._runner = _start_runner(settings, token_file)
        except (SettingsError, OSError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        _end_streams_with_the_server()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._runner.terminate()  # it gives its job back, which waits for the next start
        await asyncio.to_thread(_ended, self._runner)
        await send({"type": "lifespan.shutdown.complete"})


def _settings() -> Settings:
    """The settings of the environment, with what makes a job server of them. Raises SettingsError.

    uvicorn tells its application neither its address nor how many processes it starts; its command
    line does.
    """
    environ: dict[str, str | None] = {**os.environ}
    if not environ.get("DATABASE_URL"):
        environ["CI_DB_PATH"] = environ.get("CI_DB_PATH") or USUAL_FILE
    environ["JOBS"] = "on"
    host = environ["HOST"] = _option("--host", "UVICORN_HOST") or "127.0.0.1"
    environ["PORT"] = _option("--port", "UVICORN_PORT") or "8000"
    has_local_users = Settings(secret_key="unused", host=host).is_loopback  # noqa: S106
    if has_local_users and not environ.get("PUBLIC_URL"):
        environ.setdefault("LOCAL_JOBS_ACCOUNT", LOCAL_ACCOUNT)
    settings = Settings.from_environment(environ)
    workers = _option("--workers", "WEB_CONCURRENCY") or "1"
    if (workers != "1" or not has_local_users) and not settings.redis_url:
        raise SettingsError(
            "Several workers or an address that others reach need REDIS_URL, and clients with "
            "tokens (flask --app run accounts token)."
        )
    return settings


def _option(name: str, variable: str) -> str | None:
    arguments = sys.argv[1:]
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
        if argument == name and place + 1 < len(arguments):
            return arguments[place + 1]
    return os.environ.get(variable)


def _prepare(settings: Settings) -> Path:
    """Make the tables, the local account and a token for the runner; the token's file."""
    migrating.upgrade()
    email = settings.local_jobs_account or LOCAL_ACCOUNT
    with reading():
        account = accounts.find(email)
    if account is None:
        password = secrets.token_urlsafe(24)
        hashed = accounts.hash_for("local", email, password, rounds=settings.password_rounds)
        with writing():
            account = accounts.create("local", email, hashed, Role.admin)
    name = f"runner-{secrets.token_hex(8)}"
    with writing():
        token = tokens.issue(account, name, [Scope.RUNS_EXECUTE], DAYS, on_command_line=True).text
    settings.own_folder.mkdir(parents=True, exist_ok=True)
    path = settings.own_folder / f"{name}.token"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(token)
    db.session.remove()
    return path


def _start_runner(settings: Settings, token_file: Path) -> "subprocess.Popen[bytes]":
    """Start the runner. A second process of this server has none: they would share its folder."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    command = [
        sys.executable, "-m", "mod_ci.runner", "--kinds", "job",
        "--server", f"http://{host}:{settings.port}", "--token-file", str(token_file),
        "--work-dir", str(settings.own_folder / "runner"),
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)  # noqa: S603


def _ended(runner: "subprocess.Popen[bytes]") -> None:
    try:
        runner.wait(RUNNER_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        runner.kill()
        runner.wait()


def _end_streams_with_the_server() -> None:
    """uvicorn waits for its answers before it tells its application of the end: end those that last
    for hours when it is asked to."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def ask(received: int, frame: Any, before: Any = before) -> None:
            shutting_down.set()
            loop.call_soon_threadsafe(lambda: asyncio.ensure_future(end_streams()))
            if callable(before):
                before(received, frame)

        signal.signal(number, ask)


app = App()
