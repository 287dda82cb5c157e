"""The rights of docs/operating.md are enough: upgrades, commands, serving, a run, on MariaDB."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from flask import cli

from config import ROOT, Settings
from database import db
from run import create_app
from tests import factories, given_schema, servers
from tests.conftest import SETTINGS_DEFAULTS
from tests.openapi import CheckedClient
from tests.raw import Raw
from tests.runners import runner
from tests.test_migrations import wipe

DOCS = (ROOT / "docs" / "operating.md").read_text("utf-8")
GRANT = re.compile(r"^    GRANT ([A-Z, ]+) ON ci\.\* TO '(\w+)'@'localhost';$", re.MULTILINE)
RIGHTS = {account: rights for rights, account in GRANT.findall(DOCS)}

pytestmark = pytest.mark.mariadb


@dataclass(frozen=True)
class Place:
    """An existing site's database and its two accounts."""

    upgrade: str
    serve: str
    admin: str

    def flask(self, url: str, *arguments: str) -> Result:
        return CliRunner().invoke(cli.cli, ["--app", "run", *arguments], env={"DATABASE_URL": url})


@pytest.fixture
def place(
    mariadb: servers.MariaDB, worker: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Place]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SECRET_KEY", SETTINGS_DEFAULTS["secret_key"])
    monkeypatch.setenv("SAMPLE_REPOSITORY", str(tmp_path / "repository"))
    name = f"tests_grants_{worker}"
    mariadb.fresh(name)
    host = "127.0.0.1" if mariadb.limited_user else "%"
    urls = []
    for account in ("ci_upgrade", "ci"):
        user = f"'{account}_{worker}'@'{host}'"
        mariadb.execute(f"DROP USER IF EXISTS {user}")
        mariadb.execute(f"CREATE USER {user} IDENTIFIED BY 'secret'")
        mariadb.execute(f"GRANT {RIGHTS[account]} ON `{name}`.* TO {user}")
        url = sa.make_url(mariadb.url(name))
        urls.append(
            url.set(username=f"{account}_{worker}", password="secret").render_as_string(
                hide_password=False
            )
        )
    with contextlib.closing(Raw(mariadb.url(name))) as raw:
        given_schema.create(raw, with_tokens=False)
        given_schema.fill(raw, with_tokens=False)
    yield Place(*urls, mariadb.url(name))
    for account in ("ci_upgrade", "ci"):
        mariadb.execute(f"DROP USER IF EXISTS '{account}_{worker}'@'{host}'")
    mariadb.drop(name)


def lines(result: Result, level: str) -> list[str]:
    return [line for line in result.stdout.splitlines() if line.startswith(level)]


def test_the_documented_rights_are_enough(place: Place) -> None:
    assert RIGHTS.keys() == {"ci_upgrade", "ci"}
    assert not set(RIGHTS["ci"].split(", ")) - set(RIGHTS["ci_upgrade"].split(", "))

    for command in ("db upgrade", "rollup rebuild", "rollup verify", "db upgrade"):
        done = place.flask(place.upgrade, *command.split())
        assert done.exit_code == 0, done.output
    for command in (
        "rollup rebuild",
        "rollup verify",
        "queue expire",
        "jobs expire",
        "logs keep",
        "outbox deliver",
        "accounts list",
    ):
        done = place.flask(place.serve, *command.split())
        assert done.exit_code == 0, done.output
    checks = [place.flask(url, "check") for url in (place.upgrade, place.serve)]

    for check in checks:
        assert check.exit_code == 0, check.output
        assert lines(check, "fail") == []
    assert "not to be seen by this account" in checks[1].stdout
    assert lines(checks[1], "warn") == lines(checks[0], "warn")


def test_a_run_is_executed_with_the_rights_of_the_server(place: Place) -> None:
    assert place.flask(place.upgrade, "db", "upgrade").exit_code == 0
    app = create_app(Settings(**SETTINGS_DEFAULTS, database_url=place.serve))
    app.test_client_class = CheckedClient
    admin = sa.create_engine(place.admin)
    factories.bind(admin)
    wanted = factories.run()

    ours = runner(app.test_client())
    held = ours.claim()
    told = [held.report(one).status_code for one in held.tests]
    ended = held.finish().status_code
    headers = factories.signed_in("admin", "runs:read")
    read = app.test_client().get(f"/api/v1/runs/{held.run_id}", headers=headers)

    assert told == [200] * len(told)
    assert ended == 200
    assert read.status_code == 200
    with contextlib.closing(Raw(place.admin)) as raw:
        (ends,) = raw.execute(
            "SELECT status FROM test_progress WHERE test_id = ? ORDER BY id DESC LIMIT 1",
            [held.run_id],
        )
    assert ends == ("completed",)
    assert held.run_id in {wanted.id, *range(1, 7)}
    with app.app_context():
        db.engine.dispose()
    admin.dispose()


@pytest.mark.parametrize("lacking", ["CREATE", "ALTER", "INDEX"])
def test_a_right_that_is_missing_is_named_in_one_sentence(
    place: Place, mariadb: servers.MariaDB, lacking: str
) -> None:
    url = sa.make_url(place.upgrade)
    host = "127.0.0.1" if mariadb.limited_user else "%"
    mariadb.execute(f"REVOKE {lacking} ON `{url.database}`.* FROM '{url.username}'@'{host}'")

    done = place.flask(place.upgrade, "db", "upgrade")

    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"Error: The account of the database lacks a right: {lacking} command ")
    assert "docs/operating.md" in last


def test_the_server_account_cannot_adopt_triggers_and_is_told_so(place: Place) -> None:
    assert place.flask(place.upgrade, "db", "upgrade").exit_code == 0

    done = place.flask(place.serve, "rollup", "adopt")

    assert done.exit_code == 1
    assert done.stderr == "Error: This account of the database lacks the right TRIGGER.\n"


@pytest.mark.parametrize("origin", ["existing", "0016"])
def test_check_asks_for_a_rebuild_where_an_upgrade_needs_one(place: Place, origin: str) -> None:
    if origin == "0016":
        with contextlib.closing(Raw(place.admin)) as raw:
            wipe(raw)
            given_schema.create_of_0016(raw)
            given_schema.fill(raw)
    assert place.flask(place.upgrade, "db", "upgrade").exit_code == 0

    before = lines(place.flask(place.serve, "check"), "warn")
    rebuilt = place.flask(place.serve, "rollup", "rebuild")
    after = lines(place.flask(place.serve, "check"), "warn")

    asked_for = [line for line in before if "rollup rebuild" in line]
    assert len(asked_for) == (1 if origin == "existing" else 0)
    assert rebuilt.exit_code == 0
    assert not [line for line in after if "rollup rebuild" in line]
