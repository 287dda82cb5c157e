"""Settings: read from the environment once, checked at the start, never changed after.

Every variable is described in `docs/settings.md`. A wrong value raises `SettingsError`,
whose message names the variable, the value and what would be right.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from limits import parse as parse_limit
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent
INSTANCE = ROOT / "instance"

REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
PLATFORMS = ("linux", "windows")
T = TypeVar("T")


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Settings:
    """What an installation decides. Sizes are bytes, times are seconds.

    Limits are in the notation of the `limits` library (`120/minute`); None lifts one.
    """

    database_url: str = f"sqlite:///{INSTANCE / 'platform.sqlite'}"
    sample_repository: Path | None = INSTANCE / "repository"
    gcs_bucket: str | None = None
    secret_key: str = ""
    redis_url: str | None = None

    rate_limit_read: str | None = "120/minute"
    rate_limit_write: str | None = "20/minute"
    rate_limit_auth: str | None = "5/15 minutes"
    rate_limit_runner: str | None = "6000/minute"

    main_repository: str = "CCExtractor/ccextractor"
    allowed_repositories: tuple[str, ...] = ()
    git_base_url: str = "https://github.com"
    runner_platforms: tuple[str, ...] = PLATFORMS

    github_client_id: str | None = None
    github_client_secret: str | None = None
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"

    public_url: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: int = 0
    host: str = "127.0.0.1"
    port: int = 8000

    max_body: int = 1024 * 1024
    max_upload: int = 512 * 1024 * 1024
    log_limit: int = 256 * 1024 * 1024
    password_rounds: int = 656_000

    lease_seconds: int = 60
    run_time_limit: int = 6 * 3600
    max_waiters: int = 32

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def has_limits(self) -> bool:
        return any(
            (
                self.rate_limit_read,
                self.rate_limit_write,
                self.rate_limit_auth,
                self.rate_limit_runner,
            )
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check every setting; variables that are not set keep their default.

        Raises SettingsError, naming the variable. With SQLite and no SECRET_KEY one is made and
        kept in `instance/`, so that tokens in links outlive a restart.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for field in fields(cls):
            name = field.name.upper()
            text = environ.get(name, "").strip()
            if text:
                values[field.name] = _read(name, text, READERS[field.name])
        settings = cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type
        if not settings.secret_key:
            if not settings.is_sqlite:
                raise SettingsError(
                    "SECRET_KEY is required with a database server: at least 32 "
                    "random characters, the same for every web process."
                )
            object.__setattr__(settings, "secret_key", _kept_secret(settings.database_url))
        if settings.gcs_bucket and environ.get("SAMPLE_REPOSITORY", "").strip() == "none":
            object.__setattr__(settings, "sample_repository", None)
        settings.check_together()
        return settings

    def check_together(self) -> None:
        """Rules that span several settings. Raises SettingsError."""
        if self.sample_repository is None and not self.gcs_bucket:
            raise SettingsError("SAMPLE_REPOSITORY may be 'none' only where GCS_BUCKET is set.")
        if bool(self.github_client_id) != bool(self.github_client_secret):
            raise SettingsError(
                "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together: set both or neither."
            )


def _read(name: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        shown = "(hidden)" if "SECRET" in name or (name.endswith("_URL") and "@" in text) else text
        raise SettingsError(f"{name} is {shown!r}: {error}") from None


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(
            "not a database URL; try sqlite:////path/to/file or "
            "mysql+pymysql://user:password@host/name"
        ) from None
    if url.drivername not in ("sqlite", "mysql+pymysql", "mariadb+pymysql"):
        raise ValueError("the driver must be sqlite, mysql+pymysql or mariadb+pymysql")
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("SQLite must be a file: several connections share it")
    return text


def _folder(text: str) -> Path | None:
    return None if text == "none" else Path(text).expanduser().resolve()


def _secret(text: str) -> str:
    if len(text) < 32:
        raise ValueError("at least 32 characters are needed")
    return text


def _bucket(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", text):
        raise ValueError("not the name of a bucket")
    return text


def _redis(text: str) -> str:
    if urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must start with redis://, rediss:// or unix://")
    return text


def _limit(text: str) -> str | None:
    if text == "off":
        return None
    try:
        parse_limit(text)
    except ValueError:
        raise ValueError("must be 'off' or a limit such as '120/minute'") from None
    return text


def _repository(text: str) -> str:
    if not REPOSITORY.fullmatch(text):
        raise ValueError("must be OWNER/NAME")
    return text


def _repositories(text: str) -> tuple[str, ...]:
    return tuple(_repository(part) for part in _words(text))


def _platforms(text: str) -> tuple[str, ...]:
    words = () if text == "none" else _words(text)
    unknown = [word for word in words if word not in PLATFORMS]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(PLATFORMS)}")
    return words


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.netloc or parts.scheme == "file"):
            raise ValueError(f"must be a URL that starts with {' or '.join(schemes)}")
        return text.rstrip("/")

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def _size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12}) ?(KiB|MiB|GiB)?", text, re.ASCII)
    if not found or not int(found[1]):
        raise ValueError("must be a number of bytes, or one with KiB, MiB or GiB")
    return int(found[1]) * {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[found[2]]


READERS: dict[str, Callable[[str], object]] = {
    "database_url": _database_url,
    "sample_repository": _folder,
    "gcs_bucket": _bucket,
    "secret_key": _secret,
    "redis_url": _redis,
    "rate_limit_read": _limit,
    "rate_limit_write": _limit,
    "rate_limit_auth": _limit,
    "rate_limit_runner": _limit,
    "main_repository": _repository,
    "allowed_repositories": _repositories,
    "git_base_url": _url("http", "https", "file"),
    "runner_platforms": _platforms,
    "github_client_id": str,
    "github_client_secret": str,
    "github_url": _url("http", "https"),
    "github_api_url": _url("http", "https"),
    "public_url": _url("http", "https"),
    "trusted_hosts": _words,
    "trusted_proxies": _whole(0, 10),
    "host": str,
    "port": _whole(1, 65535),
    "max_body": _size,
    "max_upload": _size,
    "log_limit": _size,
    "password_rounds": _whole(1000, 10_000_000),
    "lease_seconds": _whole(2, 3600),
    "run_time_limit": _whole(10, 7 * 24 * 3600),
    "max_waiters": _whole(1, 100_000),
}


def _kept_secret(database_url: str) -> str:
    """The secret beside the SQLite database, made the first time, readable by its owner only."""
    folder = Path(make_url(database_url).database or INSTANCE / "x").resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "secret_key"
    while True:
        try:
            kept = path.read_text().strip()
        except FileNotFoundError:
            kept = None
        if kept:
            return kept
        # Two first starts at once: whichever links its file first decides for both.
        draft = folder / f".secret_key.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
        try:
            draft.replace(path) if kept == "" else os.link(draft, path)
        except FileExistsError:
            continue
        finally:
            draft.unlink(missing_ok=True)
