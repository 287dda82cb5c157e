"""The migrations, on an empty database and on the existing site's, on SQLite and MariaDB."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy.exc import OperationalError

from config import Settings
from database import Base, db, migrating
from run import create_app
from tests import given_schema, servers
from tests.conftest import SETTINGS_DEFAULTS
from tests.raw import Raw

ROOT = Path(__file__).parent.parent
VERSION_TABLES = {"alembic_version", "api_alembic_version"}
# On the test: `empty_database` is on MariaDB only.
only_on_mariadb = pytest.mark.parametrize(
    "empty_database", [pytest.param("mariadb", marks=pytest.mark.mariadb)], indirect=True
)


class BrokenOffError(Exception):
    """Stands for a lost connection or a killed process."""


@contextlib.contextmanager
def application(url: str) -> Iterator[Flask]:
    app = create_app(Settings(**SETTINGS_DEFAULTS, database_url=url))
    with app.app_context():
        try:
            yield app
        finally:
            db.engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    with application(url):
        migrating.upgrade(revision=revision)


def downgrade(url: str) -> None:
    with application(url):
        migrating.downgrade(revision="base")


@pytest.fixture
def writer(empty_database: str) -> Iterator[Raw]:
    """The existing site's own connection to the database under test."""
    with contextlib.closing(Raw(empty_database)) as connection:
        yield connection


def ages(writer: Raw) -> dict[int, str]:
    rows = writer.execute("SELECT test_id, created_at FROM run_record")
    return {run_id: str(created_at)[:19] for run_id, created_at in rows}


def differences(url: str, *, only_ours: bool = False) -> list[Any]:
    """What the models have otherwise than the database; with `only_ours`, of our own tables."""
    with application(url), db.engine.connect() as connection:
        dialect = connection.dialect.name

        def compared(item: Any, name: str | None, kind: str, *_: Any) -> bool:
            if kind == "table":
                return name not in VERSION_TABLES and not (only_ours and item.info.get("given"))
            only_for = getattr(item, "_ddl_if", None)  # of `database.key`
            return only_for is None or only_for.dialect == dialect

        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": compared}
        )
        return compare_metadata(context, Base.metadata)


def version_of(writer: Raw) -> str:
    ((version,),) = writer.execute("SELECT version_num FROM api_alembic_version")
    return str(version)


def test_an_empty_database_gets_what_the_models_say(empty_database: str) -> None:
    upgrade(empty_database)

    assert differences(empty_database) == []


def test_an_upgrade_twice_changes_nothing(empty_database: str, writer: Raw) -> None:
    upgrade(empty_database)
    version = version_of(writer)

    upgrade(empty_database)

    assert version_of(writer) == version
    assert differences(empty_database) == []


@pytest.mark.mariadb
def test_given_tables_on_an_empty_mariadb_are_the_given_schema(
    mariadb: servers.MariaDB, worker: str
) -> None:
    found = {}
    for origin in ("given", "migrated"):
        name = f"tests_{origin}_{worker}"
        mariadb.fresh(name)
        with contextlib.closing(Raw(mariadb.url(name))) as raw:
            if origin == "given":
                tables = [t for t in given_schema.create(raw) if t not in VERSION_TABLES]
            else:
                upgrade(mariadb.url(name))
            found[origin] = given_schema.definition(raw, tables)
        mariadb.drop(name)

    assert len(found["given"]["tables"]) == len(tables) == 31
    assert found["migrated"] == found["given"]


def test_every_database_ends_up_with_the_same_schema(empty_database: str, writer: Raw) -> None:
    found = {}
    for origin in ("empty", "existing", "0016"):
        made_from(origin, empty_database, writer)
        upgrade(empty_database)
        found[origin] = schema(empty_database)
        wipe(writer)

    # SQLite's given schema is MariaDB's in other words: columns have other types there.
    ours = [t for t in found["empty"] if not (writer.is_sqlite and is_given(t))]
    assert len(ours) >= (32 if writer.is_sqlite else 63)
    assert {t: found["existing"][t] for t in ours} == {t: found["empty"][t] for t in ours}
    assert found["0016"] == found["existing"]
    assert found["existing"].keys() - found["empty"].keys() == {"alembic_version"}


def made_from(origin: str, url: str, writer: Raw) -> None:
    """Bring an empty database where an upgrade begins: what the existing site has, or revision
    0016."""
    if origin == "0016":
        given_schema.create_of_0016(writer)
    elif origin == "existing":
        given_schema.create(writer)
    if origin != "empty":
        given_schema.fill(writer)


def wipe(writer: Raw) -> None:
    """Drop everything, for the next one."""
    sqlite = writer.is_sqlite
    writer.execute("PRAGMA foreign_keys = OFF" if sqlite else "SET foreign_key_checks = 0")
    names = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        if sqlite
        else "SHOW TABLES"
    )
    for (name,) in writer.execute(names):
        writer.execute(f"DROP TABLE `{name}`")
    writer.execute("PRAGMA foreign_keys = ON" if sqlite else "SET foreign_key_checks = 1")


def is_given(table: str) -> bool:
    return table not in Base.metadata.tables or bool(Base.metadata.tables[table].info.get("given"))


def schema(url: str) -> dict[str, Any]:
    """What the database says of each table, its keys and its triggers, in an order."""
    with contextlib.closing(Raw(url)) as raw:
        return of_sqlite(raw) if raw.is_sqlite else of_mariadb(raw)


def of_mariadb(raw: Raw) -> dict[str, Any]:
    tables = [name for (name,) in raw.execute("SHOW TABLES")]
    lines = {table: raw.execute(f"SHOW CREATE TABLE `{table}`")[0][1] for table in tables}
    for name, event, table, body, when, *_ in raw.execute("SHOW TRIGGERS"):
        lines[table] += f"\n{name} {when} {event} {body}"
    return {
        table: sorted(
            re.sub(r" AUTO_INCREMENT=\d+", "", line).strip(" ,") for line in text.split("\n")
        )
        for table, text in lines.items()
    }


def of_sqlite(raw: Raw) -> dict[str, Any]:
    """The same; a column that was added later stands at another place in the text of its table."""
    found: dict[str, Any] = {}
    for kind, name, table, sql in raw.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_master"
    ):
        if name.startswith("sqlite_"):
            continue
        described = " ".join((sql or "").split())
        if kind == "table":
            columns = [row[1:] for row in raw.execute(f"PRAGMA table_info({name})")]
            keys = [row[2:] for row in raw.execute(f"PRAGMA foreign_key_list({name})")]
            described = f"{sorted(columns, key=repr)} {sorted(keys)} {'AUTOINCREMENT' in sql}"
        found.setdefault(table, []).append(described)
    return {table: sorted(parts) for table, parts in found.items()}


def test_what_was_kept_before_the_release_is_kept(empty_database: str, writer: Raw) -> None:
    made_from("0016", empty_database, writer)
    writer.execute("DELETE FROM rollup_mark")
    writer.execute("DELETE FROM open_run WHERE test_id = 3")
    writer.execute(
        "INSERT INTO run_rollup (test_id, status, results, failed, missing_output, errors, "
        "created_at, platform, fork_id, branch, commit_sha) VALUES "
        "(3, 'canceled', 0, 0, 0, 0, '2020-05-01 10:00:00', 'linux', 1, 'master', 'a3')"
    )
    given = given_schema.contents(writer, ["test", "test_result", "run_record"])

    upgrade(empty_database)

    assert version_of(writer) == "0021"
    assert given_schema.contents(writer, list(given)) == given
    assert writer.execute("SELECT test_id, status FROM run_rollup") == [(3, "canceled")]
    assert writer.execute("SELECT generation FROM rollup_state") == [(16,)]
    assert writer.execute("SELECT count(*) FROM open_run WHERE test_id = 3") == [(0,)]


@pytest.mark.parametrize("lacking", ["rollup_result_update_row", "rollup_run_insert"])
def test_where_a_trigger_was_missing_nothing_that_was_kept_is_believed(
    empty_database: str, writer: Raw, lacking: str
) -> None:
    made_from("0016", empty_database, writer)
    writer.execute(f"DROP TRIGGER {lacking}")
    writer.execute("DELETE FROM open_run")
    writer.execute(
        "INSERT INTO run_rollup (test_id, status, results, failed, missing_output, errors, "
        "created_at, platform, fork_id, branch, commit_sha) VALUES "
        "(3, 'canceled', 0, 0, 0, 0, '2020-05-01 10:00:00', 'linux', 1, 'master', 'a3')"
    )

    upgrade(empty_database)

    assert writer.execute("SELECT count(*) FROM run_rollup") == [(0,)]
    assert writer.execute("SELECT test_id FROM open_run ORDER BY 1") == [
        (1,),
        (2,),
        (3,),
        (4,),
        (6,),
    ]
    assert writer.execute("SELECT generation FROM rollup_state")[0][0] not in (0, 16)


@pytest.mark.parametrize("with_tokens", [True, False], ids=["with api_token", "without api_token"])
def test_an_existing_database_loses_nothing(
    empty_database: str, writer: Raw, with_tokens: bool
) -> None:
    tables = given_schema.create(writer, with_tokens=with_tokens)
    given_schema.fill(writer, with_tokens=with_tokens)
    before = given_schema.contents(writer, tables)

    for _ in range(2):
        upgrade(empty_database)

        assert given_schema.contents(writer, tables) == before
        assert before["alembic_version"] == [("d4f8e2a1b3c7",)]
    assert all(before.values()), "every table had a row to lose"
    assert writer.execute("SELECT count(*) FROM api_token") == [(int(with_tokens),)]


@pytest.mark.mariadb
def test_an_existing_mariadb_keeps_its_definition(mariadb: servers.MariaDB, worker: str) -> None:
    name = f"tests_existing_{worker}"
    mariadb.fresh(name)
    with contextlib.closing(Raw(mariadb.url(name))) as raw:
        tables = given_schema.create(raw)
        before = given_schema.definition(raw, tables)

        upgrade(mariadb.url(name))

        assert given_schema.definition(raw, tables) == before
        assert differences(mariadb.url(name)) == []
    mariadb.drop(name)


@only_on_mariadb
def test_indexes_of_existing_tables_are_made_and_dropped_while_others_write(
    empty_database: str, writer: Raw
) -> None:
    tables = "|".join(given_schema.create(writer))
    given_schema.fill(writer)

    with statements_of_migrations() as said:
        upgrade(empty_database)
        downgrade(empty_database)

    of_given = re.compile(rf"(ALTER TABLE|(CREATE|DROP) INDEX .* ON) `?({tables})`?\b")
    changes = [statement for statement in said if of_given.match(statement)]
    for name in ("ix_customized_test_member", "ix_test_result_runtime"):
        assert [change.split()[0] for change in changes if name in change] == ["CREATE", "ALTER"]
    assert [change for change in changes if not change.endswith(" LOCK=NONE")] == []


@only_on_mariadb
def test_where_an_index_cannot_be_made_online_the_migration_fails(
    empty_database: str, writer: Raw
) -> None:
    given_schema.create(writer)
    given_schema.fill(writer)
    for number in (1, 2):
        writer.execute(
            f"ALTER TABLE customized_test DROP FOREIGN KEY customized_test_ibfk_{number}"
        )
    writer.execute("ALTER TABLE customized_test ENGINE = MyISAM")

    with pytest.raises(OperationalError, match="ALGORITHM=INPLACE is not supported"):
        upgrade(empty_database)

    assert "ix_customized_test_member" not in indexes(empty_database, "customized_test")


@contextlib.contextmanager
def statements_of_migrations() -> Iterator[list[str]]:
    """What any engine sends meanwhile, each in one line."""
    said: list[str] = []

    def note(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        said.append(" ".join(text.split()))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_existing_runs_get_the_age_that_can_be_known(empty_database: str, writer: Raw) -> None:
    given_schema.create(writer)
    given_schema.fill(writer)

    upgrade(empty_database)

    first, later = "2020-05-01 10:00:00", "2021-05-01 10:00:00"
    assert ages(writer) == {1: first, 2: first, 3: first, 4: first, 6: later}


def test_without_any_progress_runs_get_the_time_of_the_migration(
    empty_database: str, writer: Raw
) -> None:
    given_schema.create(writer)
    writer.execute("INSERT INTO fork VALUES (1, 'x')")
    writer.execute(given_schema.RUN_OF_THE_SITE, ["t1"])
    before = time_of(writer)

    upgrade(empty_database)

    (clock,) = ages(writer).values()
    assert before <= clock <= time_of(writer)


def time_of(writer: Raw) -> str:
    """The database's own time, in UTC."""
    ((now,),) = writer.execute(
        "SELECT datetime('now')" if writer.is_sqlite else "SELECT UTC_TIMESTAMP()"
    )
    return str(now)


def test_the_existing_site_goes_on_inserting_runs(empty_database: str, writer: Raw) -> None:
    given_schema.create(writer)
    given_schema.fill(writer)
    upgrade(empty_database)
    known = set(ages(writer))

    writer.execute(given_schema.RUN_OF_THE_SITE, ["new-1"])
    first = writer.last_id
    with writer.transaction():
        writer.execute(given_schema.RUN_OF_THE_SITE, ["new-2"])
        second = writer.last_id

    assert set(ages(writer)) == known | {first, second}
    assert writer.execute(
        "SELECT attempts, lost_attempts, lease_expires_at FROM run_record WHERE test_id = ?",
        [second],
    ) == [(0, 0, None)]


def test_a_run_that_the_existing_site_takes_back_leaves_no_age(
    empty_database: str, writer: Raw
) -> None:
    given_schema.create(writer)
    given_schema.fill(writer)
    upgrade(empty_database)
    writer.execute(given_schema.RUN_OF_THE_SITE, ["new"])

    writer.execute("DELETE FROM test WHERE id = ?", [writer.last_id])

    assert writer.last_id not in ages(writer)


@pytest.mark.mariadb
def test_an_account_that_knows_only_the_given_tables_goes_on_inserting_runs(
    mariadb: servers.MariaDB, worker: str
) -> None:
    name = f"tests_rights_{worker}"
    account = f"'site_{worker}'@'{'127.0.0.1' if mariadb.limited_user else '%'}'"
    mariadb.fresh(name)
    with contextlib.closing(Raw(mariadb.url(name))) as admin:
        tables = given_schema.create(admin)
        given_schema.fill(admin)
        mariadb.execute(f"CREATE USER {account} IDENTIFIED BY 'secret'")
        for table in tables:
            admin.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{name}`.`{table}` TO {account}"
            )
        upgrade(mariadb.url(name))
        url = sa.make_url(mariadb.url(name)).set(username=f"site_{worker}", password="secret")

        with contextlib.closing(Raw(url.render_as_string(hide_password=False))) as site:
            site.execute(given_schema.RUN_OF_THE_SITE, ["new"])
            made = site.last_id

        assert made in ages(admin)
    mariadb.execute(f"DROP USER {account}")
    mariadb.drop(name)


@pytest.mark.mariadb
def test_without_the_right_to_triggers_the_migration_works_and_says_so(
    mariadb: servers.MariaDB, worker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if mariadb.limited_user is None:
        pytest.skip("TEST_MARIADB_URL names no account without the right to triggers")
    name = f"tests_limited_{worker}"
    mariadb.fresh(name)
    url = mariadb.url(name, limited=True)
    with contextlib.closing(Raw(url)) as raw:
        given_schema.create(raw)
        given_schema.fill(raw)

        upgrade(url)

        assert "may not create triggers" in capsys.readouterr().out
        raw.execute(given_schema.RUN_OF_THE_SITE, ["new"])
        assert set(ages(raw)) == {1, 2, 3, 4, 6}
        downgrade(url)
        assert raw.execute("SELECT count(*) FROM test") == [(6,)]
    mariadb.drop(name)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE api_token",
        "CREATE INDEX ix_api_token_token_prefix",
        "CREATE TABLE run_record",
        "CREATE INDEX ix_run_record_created_at",
        "CREATE TRIGGER",
        "INSERT (OR )?IGNORE INTO run_record",
        "INSERT INTO api_alembic_version",
    ],
)
def test_a_migration_that_was_broken_off_can_be_run_again(
    empty_database: str, writer: Raw, statement: str
) -> None:
    given_schema.create(writer, with_tokens=False)
    given_schema.fill(writer, with_tokens=False)

    with breaking_before(statement), pytest.raises(BrokenOffError):
        upgrade(empty_database)
    upgrade(empty_database)

    assert differences(empty_database, only_ours=True) == []
    assert "ix_api_token_token_prefix" in indexes(empty_database, "api_token")
    assert sorted(ages(writer)) == [1, 2, 3, 4, 6]
    writer.execute(given_schema.RUN_OF_THE_SITE, ["new"])
    assert writer.last_id in ages(writer)


def test_an_upgrade_of_an_empty_database_that_was_broken_off_can_be_run_again(
    empty_database: str,
) -> None:
    with breaking_before("CREATE INDEX tag_name_index"), pytest.raises(BrokenOffError):
        upgrade(empty_database)
    upgrade(empty_database)

    assert differences(empty_database) == []


@pytest.mark.slow
@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("origin", "changes"),
    [
        ("existing", 25),
        pytest.param("existing", 1, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)]),
        pytest.param("empty", 1, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)]),
        pytest.param("0016", 1, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)]),
    ],
)
def test_an_upgrade_that_is_killed_again_and_again_ends_with_the_same_schema(
    mariadb: servers.MariaDB, worker: str, origin: str, changes: int
) -> None:
    """Each try makes a few changes, then its connection is killed; with one change to a try, every
    change has been both the last before a kill and the first after one."""
    name = f"tests_killed_{worker}"
    url = mariadb.url(name)
    mariadb.fresh(name)
    with contextlib.closing(Raw(url)) as raw:
        start_without_tokens(origin, url, raw)
        upgrade(url)
        undisturbed = schema(url)
        rows = {table: len(found) for table, found in given_schema.contents(raw, ROWS_MADE).items()}

        mariadb.fresh(name)
        raw.execute(f"USE `{name}`")
        start_without_tokens(origin, url, raw)
        kills, allowed = 0, changes
        reached: set[str] = set()
        while statement := killed_before(allowed, url, mariadb):
            kills += 1
            assert kills < 3000, statement
            # Changes of one transaction are undone together, and some are made again by every try:
            # one at a time would never come to what is behind them.
            allowed = allowed + 1 if statement in reached else changes
            reached.add(statement)

        assert kills >= {"0016": 1}.get(origin, 125 // changes)
        assert schema(url) == undisturbed
        assert version_of(raw) == "0021"
        assert {t: len(found) for t, found in given_schema.contents(raw, ROWS_MADE).items()} == rows
        assert raw.execute("SELECT generation = 0 FROM rollup_state") == [(0,)]
    mariadb.drop(name)


# Rows that the upgrade makes of those that are there.
ROWS_MADE = ["run_record", "open_run", "rollup_state"]
CHANGE = re.compile("CREATE|ALTER|DROP|INSERT|UPDATE|DELETE")


def start_without_tokens(origin: str, url: str, raw: Raw) -> None:
    """`made_from`, where an older installation lacks `api_token`."""
    made_from("0016" if origin == "0016" else "empty", url, raw)
    if origin == "existing":
        given_schema.create(raw, with_tokens=False)
        given_schema.fill(raw, with_tokens=False)


def killed_before(changes: int, url: str, mariadb: servers.MariaDB) -> str | None:
    """Upgrade, until the server ends the connection that has made so many changes and is about to
    make another: that statement, None where no other is made."""
    made, about = 0, None

    def kill(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:
        nonlocal made, about
        if CHANGE.match(text.strip()):
            made += 1
            if made == changes + 1:
                about = text
                number = connection.connection.dbapi_connection.thread_id()  # type: ignore[union-attr]
                mariadb.execute(f"KILL {number}")

    sa.event.listen(sa.Engine, "before_cursor_execute", kill)
    try:
        upgrade(url)
    except sa.exc.DBAPIError as error:
        assert made > changes, error  # it is the kill that ended it
        return about
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", kill)
    return None


@contextlib.contextmanager
def breaking_before(statement: str) -> Iterator[None]:
    """Fail where an engine is about to run a statement that starts like this."""

    def before(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if re.match(statement, text.strip()):
            raise BrokenOffError(text)

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def indexes(url: str, table: str) -> set[str | None]:
    with application(url):
        return {index["name"] for index in sa.inspect(db.engine).get_indexes(table)}


def test_two_upgrades_at_once_do_the_work_once(empty_database: str, writer: Raw) -> None:
    given_schema.create(writer, with_tokens=False)
    given_schema.fill(writer, with_tokens=False)
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": empty_database,
        "SECRET_KEY": SETTINGS_DEFAULTS["secret_key"],
    }
    command = [sys.executable, "-m", "flask", "--app", "run", "db", "upgrade"]

    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], errors
    assert differences(empty_database, only_ours=True) == []
    assert len(ages(writer)) == 5


def test_a_downgrade_takes_only_what_is_ours(empty_database: str, writer: Raw) -> None:
    tables = given_schema.create(writer)
    given_schema.fill(writer)
    before = given_schema.contents(writer, tables)
    upgrade(empty_database)

    downgrade(empty_database)

    assert given_schema.contents(writer, tables) == before
    with application(empty_database):
        left = set(sa.inspect(db.engine).get_table_names())
    assert left == set(tables) | VERSION_TABLES
    writer.execute(given_schema.RUN_OF_THE_SITE, ["after"])  # no trigger is left that would fail
    upgrade(empty_database)
    assert writer.last_id in ages(writer)


@pytest.mark.parametrize("is_given", [False, True], ids=["empty", "existing"])
def test_a_downgrade_goes_back_to_the_beginning_and_forth_again(
    empty_database: str, writer: Raw, is_given: bool
) -> None:
    if is_given:
        given_schema.create(writer)
        given_schema.fill(writer)

    for revision in ("0018", "head"):
        upgrade(empty_database, revision)
        downgrade(empty_database)

        assert writer.execute("SELECT * FROM api_alembic_version") == []
        assert "ix_customized_test_member" not in indexes(empty_database, "customized_test")
        assert "ix_test_result_runtime" not in indexes(empty_database, "test_result")
    upgrade(empty_database)

    assert differences(empty_database, only_ours=is_given) == []


def test_failures_kept_before_the_release_are_derived_anew(
    empty_database: str, writer: Raw
) -> None:
    made_from("0016", empty_database, writer)
    writer.execute("DELETE FROM rollup_mark")
    writer.execute("DELETE FROM open_run WHERE test_id = 3")
    writer.execute(
        "INSERT INTO run_rollup (test_id, status, results, failed, missing_output, errors, "
        "created_at, platform, fork_id, branch, commit_sha) VALUES "
        "(3, 'fail', 1, 1, 0, 1, '2020-05-01 10:00:00', 'linux', 1, 'master', 'a3')"
    )
    writer.execute(
        "INSERT INTO failing_result (test_id, regression_test_id, status, errors, signature) "
        "VALUES (3, 1, 'fail', 1, '1:diff:1:6f2c27ba4084f076')"
    )

    upgrade(empty_database)

    assert writer.execute("SELECT DISTINCT run_id FROM rollup_mark") == [(3,)]
    assert writer.execute("SELECT content FROM failing_result") == [(None,)]
