"""Triggers whose account is gone: what happens, who says so, and what mends it."""

import contextlib
from collections.abc import Iterator

import pymysql
import pytest
from flask import Flask
from sqlalchemy.engine import make_url

from config import Settings
from database import db, migrating
from run import create_app
from tests import factories, servers
from tests.conftest import SETTINGS_DEFAULTS

pytestmark = pytest.mark.slow

CHANGE = "UPDATE test SET pr_nr = pr_nr + 1"


@pytest.fixture
def name(mariadb: servers.MariaDB, worker: str) -> Iterator[str]:
    """The name of a database whose tables and triggers another account has made."""
    name = f"owners_{worker}"
    mariadb.fresh(name)
    mariadb.execute("DROP USER IF EXISTS leaving@'127.0.0.1'")
    mariadb.execute(f"CREATE USER leaving@'127.0.0.1' IDENTIFIED BY '{mariadb.password}'")
    mariadb.execute(f"GRANT ALL ON `{name}`.* TO leaving@'127.0.0.1'")
    theirs = make_url(mariadb.url(name)).set(username="leaving")
    app = app_on(theirs.render_as_string(hide_password=False))
    with app.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
    factories.run()
    with app.app_context():
        db.engine.dispose()
    yield name
    mariadb.drop(name)
    mariadb.execute("DROP USER IF EXISTS leaving@'127.0.0.1'")


def app_on(url: str) -> Flask:
    return create_app(Settings(**SETTINGS_DEFAULTS, database_url=url))


def told(app: Flask) -> list[str]:
    """What `flask check` says of triggers."""
    lines = app.test_cli_runner().invoke(args=["check"]).stdout.splitlines()
    return [line for line in lines if line.split()[1] == "triggers"]


def test_a_dropped_account_stops_every_writer_until_its_triggers_are_adopted(
    name: str, mariadb: servers.MariaDB
) -> None:
    app = app_on(mariadb.url(name))
    with contextlib.closing(mariadb.connect(name)) as site:
        cursor = site.cursor()
        cursor.execute(CHANGE)
        before = told(app)
        mariadb.execute("DROP USER leaving@'127.0.0.1'")
        with contextlib.closing(mariadb.connect(name)) as later:
            with pytest.raises(pymysql.err.OperationalError, match="1449"):
                later.cursor().execute(CHANGE)
            while_gone = told(app)
            adopted = app.test_cli_runner().invoke(args=["rollup", "adopt"])
            later.cursor().execute(CHANGE)
        cursor.execute("SELECT kind FROM rollup_mark")
        marks = cursor.fetchall()
    after = told(app)
    with app.app_context():
        db.engine.dispose()

    assert [line for line in before if line.startswith("warn") and "leaving@127.0.0.1" in line]
    assert [line for line in while_gone if line.startswith("fail") and "rollup adopt" in line]
    assert adopted.exit_code == 0, adopted.output
    assert [line.split()[0] for line in after] == ["ok", "ok"]
    assert marks


def test_sqlite_has_no_owners(sqlite_app: Flask) -> None:
    adopted = sqlite_app.test_cli_runner().invoke(args=["rollup", "adopt"])

    assert adopted.stdout == "Triggers made anew: 0.\n"
