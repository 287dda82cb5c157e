"""Where the site is: its folder, its address, and what its processes find in their environment."""

import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from dotenv import dotenv_values

from config import INSTANCE, ROOT, Settings, SettingsError
from demo import ports

LOGS = INSTANCE / "logs"
DEMO = INSTANCE / "demo"
LEASE_SECONDS = 20
# Enough for passwords that are random, and a start without a pause for thought.
PASSWORD_ROUNDS = 20_000
LOCAL_ACCOUNT = "contributor@demo.invalid"
INHERITED = ("HOME", "USER", "LOGNAME", "TMPDIR", "TERM", "LANG", "LC_ALL", "TZ")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what to ask instead
OWN = ("HOST", "PORT", "PUBLIC_URL")
UNUSED = ("DATABASE_URL", "SAMPLE_REPOSITORY", "GCS_BUCKET", "GIT_BASE_URL", "REDIS_URL")


class NotHere(Exception):
    """The site cannot run here, or not now; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """The site's settings, as an object and as the environment of its processes."""

    settings: Settings
    environment: dict[str, str]
    ignored: tuple[str, ...]
    port_was_given: bool

    @property
    def url(self) -> str:
        """The address at which a client on this machine reaches the server."""
        return _url(self.settings.host, self.settings.port)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep a second site out of this folder and off this port. Raises NotHere."""
        with (INSTANCE / "serve.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise NotHere("it is running already, from this folder.") from None
            try:
                ports.check(self.settings.host, self.settings.port)
            except ports.PortTaken as problem:
                raise NotHere(str(problem)) from None
            yield


def find_place(environ: Mapping[str, str]) -> Place:
    """The place that HOST and PORT name, in the environment or in `.env`. Raises NotHere.

    Without PORT it is the first free one from 8000 on. Links are absolute: they start with the
    site's own address, unless PUBLIC_URL names another one.
    """
    if sys.platform != "linux":
        raise NotHere("the runner works on Linux only.")
    if which("git") is None:
        raise NotHere("the runner fetches what it tests with git, which is not installed.")
    given = {**dotenv_values(ROOT / ".env"), **environ}
    own = {name: given[name] or "" for name in OWN if given.get(name)}
    port_was_given = "PORT" in own
    own |= {
        "GIT_BASE_URL": (DEMO / "git").as_uri(),
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "PASSWORD_ROUNDS": str(PASSWORD_ROUNDS),
        "JOBS": "on",
        # A receiver to try webhooks with is on this machine, too.
        "WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
    }
    try:
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / ".writable").touch()
        (LOGS / ".writable").unlink()
        host = Settings.from_environment(own).host
        own.setdefault("PORT", str(ports.first_free(host)))
        own.setdefault("PUBLIC_URL", _url(host, int(own["PORT"])))
        settings = Settings.from_environment(own)
        if settings.is_loopback and own["PUBLIC_URL"] == _url(host, settings.port):
            # Whoever can reach this address may submit jobs without a token.
            own["LOCAL_JOBS_ACCOUNT"] = LOCAL_ACCOUNT
            settings = Settings.from_environment(own)
    except SettingsError as error:
        raise NotHere(str(error)) from None
    except OSError as error:
        raise NotHere(f"it keeps its data in {INSTANCE} and cannot write there: {error}") from None
    inherited = {name: environ[name] for name in INHERITED if name in environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), environ.get("PATH", os.defpath)))
    environment = inherited | own | {"PATH": path, "FLASK_SKIP_DOTENV": "1"}
    ignored = tuple(name for name in UNUSED if given.get(name))
    return Place(settings, environment, ignored, port_was_given)


def _url(host: str, port: int) -> str:
    named = EVERYWHERE.get(host, host)
    shown = f"[{named}]" if ":" in named else named
    return f"http://{shown}:{port}"
