"""Settings: read from the environment once, checked at the start, never changed after.

Every variable is described in `docs/settings.md`. A wrong value raises `SettingsError`,
whose message names the variable, the value and what would be right.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, TypeVar, get_type_hints
from urllib.parse import urlsplit

from dotenv import dotenv_values
from flask.helpers import get_load_dotenv
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parent
INSTANCE = ROOT / "instance"

REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/(?!\.{1,2}$)[A-Za-z0-9_.-]+")
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
TRUSTED_HOST = re.compile(r"\.?[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
# What the examples in deploy/ have in the place of a secret.
PLACEHOLDER = "change-me"
HIDDEN = ("SECRET_KEY", "GITHUB_CLIENT_SECRET", "REDIS_URL")
PLATFORMS = ("linux", "windows")
T = TypeVar("T")


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message says which and why."""


DRIVERS = ("sqlite", "mysql+pymysql", "mariadb+pymysql", "mysql+mysqldb", "mariadb+mysqldb")


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # whose own message may show a part of the password
        raise ValueError(
            "not a database URL; try sqlite:////path/to/file or "
            "mysql+pymysql://user:password@host/name"
        ) from None
    if url.drivername not in DRIVERS:
        raise ValueError("the driver must be sqlite, mysql+pymysql or mysql+mysqldb")
    if url.drivername.endswith("+mysqldb") and find_spec("MySQLdb") is None:
        raise ValueError("this driver needs the packages of requirements-mysqlclient.txt")
    if url.drivername != "sqlite":
        if not url.host or not url.database:
            raise ValueError("the host or the name of the database is missing")
        if PLACEHOLDER in (url.password or ""):
            raise ValueError("the password is the example's")
        return text
    if not url.database or url.database.startswith((":memory:", "file:")):
        raise ValueError("SQLite must be the path of a file: several connections share it")
    # The path is relative to `instance/` as Flask-SQLAlchemy has it, whoever reads it.
    return url.set(database=str((INSTANCE / url.database).resolve())).render_as_string()


def _folder(text: str) -> Path | None:
    return None if text == "none" else Path(text).expanduser().resolve()


def _secret(text: str) -> str:
    if len(text) < 32:
        raise ValueError("at least 32 characters are needed")
    if PLACEHOLDER in text:
        raise ValueError("this is the example's; `openssl rand -base64 48` makes one")
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
    from limits import parse_many  # only where a limit is set, for a quick start

    try:
        (limit,) = parse_many(text)
    except ValueError:
        raise ValueError("must be 'off' or one limit such as '120/minute'") from None
    if limit.amount < 1:
        raise ValueError("a limit lets at least one request through")
    return text


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("must be 'on' or 'off'")
    return text == "on"


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("must be the address of an account")
    return text


def _prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}", text):
        raise ValueError("at most 40 letters, digits, dots, hyphens and underscores")
    return text


def _file(text: str) -> Path:
    return Path(text).expanduser().resolve()


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


def _host(text: str) -> str:
    if not HOST.fullmatch(text):
        raise ValueError("must be the name or address of an interface, without a port")
    return text


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    is_v6 = host.startswith("[") and host.endswith("]")
    named = host[1:-1] if is_v6 else host
    if not colon or not HOST.fullmatch(named) or (":" in named) != is_v6:
        raise ValueError("must be an interface and a port, such as 127.0.0.1:9100 or [::1]:9100")
    _whole(1, 65535)(port)
    return text


def _hosts(text: str) -> tuple[str, ...]:
    hosts = _words(text)
    wrong = [host for host in hosts if not TRUSTED_HOST.fullmatch(host)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no host name such as 'ci.example.org'")
    return hosts


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(word) for word in _words(text))
    except ValueError:
        raise ValueError("must be networks such as 10.1.0.0/16,fd00::/8") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _url(*schemes: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        parts = urlsplit(text)
        if parts.scheme not in schemes or not (parts.hostname or parts.scheme == "file"):
            raise ValueError(f"must be a URL that starts with {' or '.join(schemes)}")
        if parts.port == 0 or parts.query or parts.fragment:  # asking for the port checks it
            raise ValueError("must be a URL without query and fragment")
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


@dataclass(frozen=True)
class Settings:
    """The settings of an installation, each with the reader of its text.

    Sizes are bytes, times are seconds. Limits are in the notation of the `limits` library
    (`120/minute`); None lifts one. Values that may hold a password are left out of the
    representation, which ends up in logs.
    """

    database_url: Annotated[str, _database_url] = field(
        default=f"sqlite:///{INSTANCE / 'platform.sqlite'}", repr=False
    )
    sample_repository: Annotated[Path | None, _folder] = INSTANCE / "repository"
    gcs_bucket: Annotated[str | None, _bucket] = None
    secret_key: Annotated[str, _secret] = field(default="", repr=False)
    redis_url: Annotated[str | None, _redis] = field(default=None, repr=False)

    rate_limit_read: Annotated[str | None, _limit] = "120/minute"
    rate_limit_write: Annotated[str | None, _limit] = "20/minute"
    rate_limit_auth: Annotated[str | None, _limit] = "5/15 minutes"
    rate_limit_runner: Annotated[str | None, _limit] = "6000/minute"
    rate_limit_submit: Annotated[str | None, _limit] = "20/minute"

    main_repository: Annotated[str, _repository] = "CCExtractor/ccextractor"
    allowed_repositories: Annotated[tuple[str, ...], _repositories] = ()
    git_base_url: Annotated[str, _url("http", "https", "file")] = "https://github.com"
    runner_platforms: Annotated[tuple[str, ...], _platforms] = PLATFORMS

    jobs: Annotated[bool, _switch] = False
    job_scan: Annotated[str | None, str] = None
    job_retention: Annotated[int, _whole(1, 3650)] = 30
    job_time_limit: Annotated[int, _whole(1, 24 * 3600)] = 3600
    job_memory_limit: Annotated[int, _size] = 2 * 1024 * 1024 * 1024
    max_job_upload: Annotated[int, _size] = 64 * 1024 * 1024
    max_queued_jobs: Annotated[int, _whole(1, 1_000_000)] = 100
    max_running_jobs: Annotated[int, _whole(1, 10_000)] = 4
    local_jobs_account: Annotated[str | None, _email] = None
    ci_db_path: Annotated[Path | None, _file] = None
    ci_container_prefix: Annotated[str, _prefix] = ""

    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], _networks] = ()
    webhook_retention: Annotated[int, _whole(1, 3650)] = 30

    github_client_id: Annotated[str | None, str] = None
    github_client_secret: Annotated[str | None, str] = field(default=None, repr=False)
    github_url: Annotated[str, _url("http", "https")] = "https://github.com"
    github_api_url: Annotated[str, _url("http", "https")] = "https://api.github.com"

    public_url: Annotated[str | None, _url("http", "https")] = None
    trusted_hosts: Annotated[tuple[str, ...], _hosts] = ()
    trusted_proxies: Annotated[int, _whole(0, 10)] = 0
    host: Annotated[str, _host] = "127.0.0.1"
    port: Annotated[int, _whole(1, 65535)] = 8000
    metrics_address: Annotated[str | None, _address] = None

    max_body: Annotated[int, _size] = 1024 * 1024
    max_upload: Annotated[int, _size] = 512 * 1024 * 1024
    log_limit: Annotated[int, _size] = 256 * 1024 * 1024
    password_rounds: Annotated[int, _whole(1000, 10_000_000)] = 656_000

    lease_seconds: Annotated[int, _whole(2, 3600)] = 60
    run_time_limit: Annotated[int, _whole(10, 7 * 24 * 3600)] = 6 * 3600
    test_time_limit: Annotated[int, _whole(1, 24 * 3600)] = 300
    test_memory_limit: Annotated[int, _size] = 2 * 1024 * 1024 * 1024
    max_waiters: Annotated[int, _whole(1, 100_000)] = 32
    max_streams: Annotated[int, _whole(1, 100_000)] = 1500
    stream_keep_alive: Annotated[int, _whole(1, 60)] = 15
    client_timeout: Annotated[int, _whole(1, 3600)] = 60

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def is_loopback(self) -> bool:
        """Return whether only programs on this machine reach `host`."""
        return _is_loopback(self.host)

    @property
    def own_folder(self) -> Path:
        """The folder for what is kept beside a SQLite database."""
        path = Path(make_url(self.database_url).database or "")
        return path.with_name(path.name + ".files") if self.ci_db_path else path.parent

    @property
    def has_limits(self) -> bool:
        return any(
            (
                self.rate_limit_read,
                self.rate_limit_write,
                self.rate_limit_auth,
                self.rate_limit_runner,
                self.jobs and self.rate_limit_submit,
            )
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str | None] | None = None) -> "Settings":
        """Read and check every setting; variables that are not set keep their default.

        Without `environ` the process's variables are read, and those that they lack from `.env`
        beside `run.py` (unless FLASK_SKIP_DOTENV is set, as for the `flask` command). With SQLite
        and no SECRET_KEY one is made and kept beside the database, so that what it signed outlives
        a restart. Raises SettingsError, naming the variable.
        """
        environ = _process_environment() if environ is None else environ
        values: dict[str, object] = {}
        for setting in fields(cls):
            name = setting.name.upper()
            text = (environ.get(name) or "").strip()
            if text:
                values[setting.name] = _read(name, text, READERS[setting.name])
        if "ci_db_path" in values and "database_url" not in values:
            values = _beside_its_file(values)
        settings = cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type
        settings.check_together()
        if settings.secret_key:
            return settings
        return replace(settings, secret_key=_kept_secret(settings.own_folder / "secret_key"))

    @property
    def metrics_port(self) -> int | None:
        """The port of `metrics_address`: what arrives there gets metrics and nothing else."""
        return int(self.metrics_address.rpartition(":")[2]) if self.metrics_address else None

    def check_together(self) -> None:
        """Rules that span several settings. Raises SettingsError."""
        if self.metrics_port == self.port:
            raise SettingsError("METRICS_ADDRESS needs a port of its own, other than PORT.")
        if self.sample_repository is None and not self.gcs_bucket:
            raise SettingsError("SAMPLE_REPOSITORY may be 'none' only where GCS_BUCKET is set.")
        if self.local_jobs_account and not (
            _is_loopback(self.host)
            and self.trusted_proxies == 0
            and (self.public_url is None or _is_loopback(urlsplit(self.public_url).hostname or ""))
        ):
            raise SettingsError(
                "LOCAL_JOBS_ACCOUNT lets this machine's users submit jobs without a token: HOST "
                "must be a loopback address, TRUSTED_PROXIES 0, PUBLIC_URL unset or a loopback one."
            )
        if bool(self.github_client_id) != bool(self.github_client_secret):
            raise SettingsError(
                "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together: set both or neither."
            )
        if not self.secret_key and not self.is_sqlite:
            raise SettingsError(
                "SECRET_KEY is required with a database server: at least 32 "
                "random characters, the same for every web process."
            )


READERS: dict[str, Callable[[str], object]] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Settings, include_extras=True).items()
}


def _beside_its_file(values: dict[str, object]) -> dict[str, object]:
    """The settings of a server that was given CI_DB_PATH: its SQLite file, and files beside it.

    Two such servers on one host share neither logs nor archives nor a secret.
    """
    path = Path(str(values["ci_db_path"]))
    files = path.with_name(path.name + ".files")
    return {
        "sample_repository": files / "repository",
        **values,
        "database_url": f"sqlite:///{path}",
    }


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _process_environment() -> dict[str, str | None]:
    if not get_load_dotenv():
        return dict(os.environ)
    kept = dotenv_values(ROOT / ".env", interpolate=False)
    # The `flask` command has put the file into the environment already, with `${...}` replaced.
    replaced = dotenv_values(ROOT / ".env")
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in kept or value != replaced[name]
    }
    return {**kept, **own}


def _read(name: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        hides = name in HIDDEN or (name.endswith("_URL") and ("@" in text or "mysql" in text))
        shown = "(hidden)" if hides else repr(text)
        raise SettingsError(f"{name} is {shown}: {error}") from None


def _kept_secret(path: Path) -> str:
    """The secret kept in this file, made the first time, readable by its owner only."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_secret(path)
        kept = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"SECRET_KEY is not set and cannot be kept: {error}") from None
    if len(kept) < 32:
        raise SettingsError(f"SECRET_KEY is not set and {path} holds none: delete that file.")
    return kept


def _make_secret(path: Path) -> None:
    # Two first starts at once: whichever links its file first decides for both.
    draft = path.with_name(f".secret_key.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
