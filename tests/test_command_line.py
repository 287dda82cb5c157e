"""`flask --app run ...` as its own program starts it: commands, how they fail, what they load."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from flask import cli

from command_line import COMMANDS, Commands
from config import ROOT, Settings
from run import create_app
from tests.conftest import SETTINGS_DEFAULTS, Site

AWAY = "mysql+pymysql://me:s3cr3t@127.0.0.1:1/site"
# What each command is given; those of `db` that ask the database.
ARGUMENTS = {
    "accounts create": ["ann@example.org", "--name", "Ann", "--password-stdin"],
    "accounts disable": ["ann@example.org"],
    "accounts enable": ["ann@example.org"],
    "accounts list": [],
    "accounts set-role": ["ann@example.org", "admin"],
    "accounts token": ["ann@example.org", "--name", "laptop", "--scope", "runs:read"],
    "check": [],
    "db check": [],
    "db current": [],
    "db downgrade": ["base"],
    "db stamp": ["head"],
    "db upgrade": [],
    "demo seed": [],
    "jobs expire": [],
    "logs keep": [],
    "outbox deliver": [],
    "queue expire": [],
    "repository sweep": [],
    "repository sync": [],
    "rollup adopt": [],
    "rollup rebuild": [],
    "rollup verify": [],
}
# Their findings are lines of their own, and these two ask no database.
OTHERWISE = {"check", "repository sweep", "repository sync", "demo seed"}
# Large libraries that only some of the work needs.
RARELY_NEEDED = {"alembic", "authlib", "google.cloud.storage", "pygit2", "redis", "swagger_ui"}
OF_ROUTES = {"flask_smorest", "marshmallow", "mod_api.api", "apispec"}


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", SETTINGS_DEFAULTS["secret_key"])
    monkeypatch.setenv("SAMPLE_REPOSITORY", str(tmp_path / "repository"))
    monkeypatch.chdir(ROOT)


def flask(*arguments: str, given: str = "", **variables: str) -> Result:
    """Run `flask --app run ...` as its own program does, which creates the application."""
    return CliRunner().invoke(cli.cli, ["--app", "run", *arguments], input=given, env=variables)


def commands() -> Iterator[str]:
    group = create_app(Settings(**SETTINGS_DEFAULTS, database_url=AWAY)).cli
    assert isinstance(group, Commands)
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {each}" for each in command.commands)
        else:
            yield name

    return create_app(Settings(**SETTINGS_DEFAULTS, database_url=AWAY))


def test_every_command_of_ours_is_tried() -> None:
    assert set(commands()) == {name for name in ARGUMENTS if not name.startswith("db ")}


@pytest.mark.parametrize("name", sorted(ARGUMENTS.keys() - OTHERWISE))
def test_without_its_database_each_command_ends_in_one_sentence(name: str) -> None:
    asked = [*name.split(), *ARGUMENTS[name]]

    result = flask(*asked, given="correct horse battery\n", DATABASE_URL=AWAY)

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: The database does not do this: Can't connect to MySQL server")
    assert "s3cr3t" not in line


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_a_setting_that_cannot_be_used_is_one_sentence(name: str) -> None:
    result = flask(*name.split(), *ARGUMENTS[name], DATABASE_URL="postgresql://me:s3cr3t@db/site")

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: DATABASE_URL is ")
    assert "s3cr3t" not in line


def test_a_database_without_tables_is_told_what_to_do(tmp_path: Path) -> None:
    result = flask("queue", "expire", DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite'}")

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: no such table: ")
    assert line.endswith("Upgrade the database first: flask --app run db upgrade.")


def test_a_revision_that_nobody_knows_is_one_sentence(tmp_path: Path, capfd) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"

    result = flask("db", "upgrade", "0815", DATABASE_URL=url)

    assert result.exit_code == 1
    told = result.stderr or capfd.readouterr().err
    assert "Can't locate revision identified by '0815'" in told
    assert "Traceback" not in told


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, site: Site) -> None:
    (tmp_path / "file").touch()

    result = flask("demo", "seed", "--folder", f"{tmp_path}/file/below", DATABASE_URL=site.url)

    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: [Errno ")
    assert line.endswith(f"'{tmp_path}/file'")


def test_commands_load_neither_routes_nor_libraries_that_they_do_not_need(site: Site) -> None:
    loaded = loaded_by("cli.cli.main(['--app', 'run', 'queue', 'expire'])", site)

    assert not loaded & (RARELY_NEEDED | OF_ROUTES)


def test_a_server_that_is_idle_holds_no_library_that_it_does_not_need(site: Site) -> None:
    loaded = loaded_by("import run; run.create_app()", site)

    assert loaded >= OF_ROUTES
    assert not loaded & RARELY_NEEDED


def loaded_by(statement: str, site: Site) -> set[str]:
    """The modules of a process that ran a statement, whatever it ends with."""
    program = (
        "import json, sys\nfrom flask import cli\n"
        f"try:\n    {statement}\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    environ = os.environ | {"DATABASE_URL": site.url}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))
