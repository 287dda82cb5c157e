"""Settings from the environment: each is checked, and says what is wrong with it."""

import os
import stat
import subprocess
import sys
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import cli

from config import READERS, ROOT, Settings, SettingsError
from run import create_app

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "hunter2"

NETWORKS = (ip_network("10.1.0.0/16"), ip_network("::1/128"))
RIGHT = {
    "database_url": ("mysql+pymysql://u:p@db.example.org/ci", "mysql+pymysql://u:p@db.example.org/ci"),
    "sample_repository": ("/srv/samples", Path("/srv/samples")),
    "gcs_bucket": ("samples-of-ci", "samples-of-ci"),
    "secret_key": (SECRET, SECRET),
    "redis_url": ("redis://localhost:6379/0", "redis://localhost:6379/0"),
    "rate_limit_read": ("off", None),
    "rate_limit_write": ("5/second", "5/second"),
    "rate_limit_auth": ("5/15 minutes", "5/15 minutes"),
    "rate_limit_runner": ("1/day", "1/day"),
    "rate_limit_submit": ("9/hour", "9/hour"),
    "jobs": ("on", True),
    "job_scan": ("clamdscan --no-summary", "clamdscan --no-summary"),
    "job_retention": ("7", 7),
    "job_time_limit": ("60", 60),
    "job_memory_limit": ("1GiB", 1024**3),
    "max_job_upload": ("8 MiB", 8 * 1024 * 1024),
    "max_queued_jobs": ("5", 5),
    "max_running_jobs": ("1", 1),
    "local_jobs_account": ("ann@example.org", "ann@example.org"),
    "ci_db_path": ("/srv/ci/jobs.db", Path("/srv/ci/jobs.db")),
    "ci_container_prefix": ("one-", "one-"),
    "webhook_networks": ("10.1.0.0/16, ::1/128", NETWORKS),
    "webhook_retention": ("7", 7),
    "main_repository": ("me/extractor", "me/extractor"),
    "allowed_repositories": ("a/b, c/d.e", ("a/b", "c/d.e")),
    "git_base_url": ("file:///srv/git/", "file:///srv/git"),
    "runner_platforms": ("none", ()),
    "github_client_id": ("Iv1.abc", "Iv1.abc"),
    "github_client_secret": (SECRET, SECRET),
    "github_url": ("https://github.example.org", "https://github.example.org"),
    "github_api_url": ("https://github.example.org/api/", "https://github.example.org/api"),
    "public_url": ("https://ci.example.org", "https://ci.example.org"),
    "trusted_hosts": ("ci.org,host:8000,[::1]", ("ci.org", "host:8000", "[::1]")),
    "trusted_proxies": ("2", 2),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104  a value that people set
    "port": ("80", 80),
    "metrics_address": ("[::1]:9100", "[::1]:9100"),
    "max_body": ("2 MiB", 2 * 1024 * 1024),
    "max_upload": ("1GiB", 1024**3),
    "log_limit": ("1", 1),
    "password_rounds": ("5000", 5000),
    "lease_seconds": ("2", 2),
    "run_time_limit": ("3600", 3600),
    "test_time_limit": ("600", 600),
    "test_memory_limit": ("1GiB", 1024**3),
    "max_waiters": ("1", 1),
    "max_streams": ("100000", 100_000),
    "stream_keep_alive": ("60", 60),
    "client_timeout": ("1", 1),
}  # fmt: skip

WRONG = {
    "database_url": [
        "nonsense", "postgresql://u@h/db", "mysql://u@h/db", "sqlite://", "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory&uri=true", "mysql+pymysql://u@h", "mysql+pymysql:///db",
        f"mysql+pymysql://u:{PASSWORD}@h:port/db", f"mysql+pymysql://u:{PASSWORD}",
        "mysql+pymysql://u:change-me@h/db",
    ],
    "sample_repository": ["none"],
    "gcs_bucket": ["No Bucket", "a", "gs://bucket"],
    "secret_key": ["short", "change-me-0123456789-0123456789-0123456789"],
    "redis_url": ["localhost:6379", "http://localhost", f"redis//:{PASSWORD}@localhost", PASSWORD],
    "rate_limit_read": ["none", "120", "0/minute", "-1/minute", "5/fortnight", "5/minute;9/hour"],
    "rate_limit_write": ["many"],
    "rate_limit_auth": ["5 per"],
    "rate_limit_runner": ["unlimited"],
    "rate_limit_submit": ["often"],
    "jobs": ["yes", "1"],
    "job_scan": [],  # any command
    "job_retention": ["0", "3651"],
    "job_time_limit": ["0", "86401"],
    "job_memory_limit": ["0", "much"],
    "max_job_upload": ["0 GiB", "x"],
    "max_queued_jobs": ["0", "1000001"],
    "max_running_jobs": ["0", "10001"],
    "local_jobs_account": ["ann", "ann @example.org"],
    "ci_db_path": [],  # any file
    "ci_container_prefix": ["-one", "a/b", "x" * 41],
    "webhook_networks": ["10.1.0.1/16", "example.org", "10.0.0.0/33"],
    "webhook_retention": ["0", "3651"],
    "main_repository": ["ccextractor", "a/b/c", "a/..", "https://github.com/a/b"],
    "allowed_repositories": ["a/b, c", "a/."],
    "git_base_url": ["github.com", "ssh://git@github.com", "https://", f"git://u:{PASSWORD}@h"],
    "runner_platforms": ["linux,macos", "Linux"],
    "github_client_id": [SECRET],
    "github_client_secret": [SECRET],
    "github_url": ["github.com", "file:///x", "https://h:port", "https://[::1"],
    "github_api_url": ["api.github.com", "https://h?x=1"],
    "public_url": ["ci.example.org", "ftp://ci.example.org", "https://h/#x"],
    "trusted_hosts": ["https://ci.example.org", "a b", "*", "ci.example.org/x"],
    "trusted_proxies": ["-1", "11", "all", "1.5", "１"],  # noqa: RUF001  a digit of another script
    "host": ["http://localhost", "localhost:8000", "a b"],
    "metrics_address": ["9100", "localhost", ":9100", "127.0.0.1:0", "::1:9100", "[a]b:1"],
    "port": ["0", "65536", "http", "8000.0", "٨٠"],
    "max_body": ["0", "-1", "1 MB", "many", "1.5 MiB"],
    "max_upload": ["0 GiB", "x"],
    "log_limit": ["0", "1e9"],
    "password_rounds": ["999", "10000001"],
    "lease_seconds": ["1", "3601"],
    "run_time_limit": ["9", "7 days"],
    "test_time_limit": ["0", "1 h"],
    "test_memory_limit": ["0 GiB", "x"],
    "max_waiters": ["0", "100001"],
    "max_streams": ["0", "100001"],
    "stream_keep_alive": ["0", "61"],
    "client_timeout": ["0", "3601"],
}  # fmt: skip


def read(**variables: str) -> Settings:
    environ = {"SECRET_KEY": SECRET} | {name.upper(): value for name, value in variables.items()}
    if ("github_client_id" in variables) != ("github_client_secret" in variables):
        other = {"github_client_id", "github_client_secret"} - set(variables)
        environ |= {name.upper(): "the other" * 4 for name in other}
    return Settings.from_environment(environ)


def test_every_setting_is_tried_here() -> None:
    names = {field.name for field in fields(Settings)}

    assert set(READERS) == set(RIGHT) == set(WRONG) == names


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_value_is_taken(name: str) -> None:
    text, value = RIGHT[name]

    assert getattr(read(**{name: text}), name) == value
    assert getattr(read(**{name: f"  {text} "}), name) == value


@pytest.mark.parametrize(("name", "text"), [(n, text) for n in WRONG for text in WRONG[n]])
def test_a_wrong_value_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment({"SECRET_KEY": SECRET, name.upper(): text})

    assert name.upper() in str(refusal.value)
    assert PASSWORD not in str(refusal.value)
    if "secret" in name:
        assert text not in str(refusal.value)


def test_metrics_are_not_served_where_the_api_is() -> None:
    with pytest.raises(SettingsError, match="METRICS_ADDRESS needs a port of its own"):
        read(metrics_address="127.0.0.1:8000")


def test_a_wrong_value_is_shown_where_it_is_no_secret() -> None:
    with pytest.raises(SettingsError, match="PORT is '70000': must be a whole number"):
        read(port="70000")


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_variable_keeps_the_default(empty: str) -> None:
    assert read(port=empty, redis_url=empty) == read()


def test_no_secret_is_in_the_representation() -> None:
    settings = read(
        database_url=f"mysql+pymysql://u:{PASSWORD}@h/db",
        redis_url=f"redis://:{PASSWORD}@h",
        github_client_id="id",
        github_client_secret=PASSWORD,
    )

    assert PASSWORD not in repr(settings)
    assert SECRET not in repr(settings)


def test_a_database_server_needs_a_secret_that_all_processes_share() -> None:
    with pytest.raises(SettingsError, match="SECRET_KEY is required"):
        Settings.from_environment({"DATABASE_URL": "mysql+pymysql://u:p@h/db"})


def test_a_bucket_alone_is_enough() -> None:
    assert read(gcs_bucket="samples", sample_repository="none").sample_repository is None


def test_a_relative_sqlite_path_means_the_same_wherever_the_program_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    url = read(database_url="sqlite:///other/x.sqlite").database_url

    assert url == f"sqlite:///{ROOT}/instance/other/x.sqlite"


def test_the_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/new/x.sqlite"}

    first = Settings.from_environment(environ).secret_key

    assert len(first) >= 32
    assert Settings.from_environment(environ).secret_key == first
    kept = tmp_path / "new" / "secret_key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert list(kept.parent.iterdir()) == [kept]


def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    program = (
        "import sys; from config import Settings; sys.stdin.read();"
        f"print(Settings.from_environment({{'DATABASE_URL': 'sqlite:///{tmp_path}/new/x.sqlite'}})"
        ".secret_key)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    for process in processes:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    printed = {process.communicate(timeout=60)[0] for process in processes}

    assert printed == {(tmp_path / "new" / "secret_key").read_text() + "\n"}


def test_an_empty_file_of_the_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch()

    with pytest.raises(SettingsError, match=f"{tmp_path}/secret_key"):
        Settings.from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/x.sqlite"})


def test_a_secret_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SettingsError, match="SECRET_KEY is not set and cannot be kept"):
        Settings.from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/file/x.sqlite"})


def test_the_folder_of_a_new_sqlite_database_is_made(tmp_path: Path) -> None:
    create_app(read(database_url=f"sqlite:///{tmp_path}/new/x.sqlite"))

    assert (tmp_path / "new").is_dir()


def test_a_file_beside_the_program_is_read_and_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f"SECRET_KEY={SECRET}\nPORT=8001\nHOST=::1\n")
    monkeypatch.setattr("config.ROOT", tmp_path)
    monkeypatch.delenv("FLASK_SKIP_DOTENV", raising=False)
    monkeypatch.setenv("PORT", "8002")

    settings = Settings.from_environment()

    assert (settings.secret_key, settings.port, settings.host) == (SECRET, 8002, "::1")
    monkeypatch.setenv("FLASK_SKIP_DOTENV", "1")
    assert Settings.from_environment().host == "127.0.0.1"


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("by_flask", [True, False])
def test_a_dollar_in_the_file_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quote: str, by_flask: bool
) -> None:
    url = "mysql+pymysql://ci:a${b}c$d@db.example.org/ci"
    (tmp_path / ".env").write_text(f"DATABASE_URL={quote}{url}{quote}\nSECRET_KEY={SECRET}\n")
    monkeypatch.setattr("config.ROOT", tmp_path)
    monkeypatch.setattr(os, "environ", {"b": "replaced", "SECRET_KEY": "x" + SECRET})
    monkeypatch.chdir(tmp_path)
    if by_flask:  # as the `flask` command begins
        cli.load_dotenv()
        assert "DATABASE_URL" in os.environ

    settings = Settings.from_environment()

    assert settings.database_url == url
    assert settings.secret_key == "x" + SECRET


def test_tests_see_no_setting_of_the_developer() -> None:
    assert [name for name in READERS if name.upper() in os.environ] == []
