"""What changes tables gives way to a long transaction of another program, and to all beside it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from click.testing import Result
from sqlalchemy import inspect

from config import Settings
from database import db, giving_way
from run import create_app
from tests import given_schema, servers
from tests.conftest import SETTINGS_DEFAULTS
from tests.patience import until
from tests.raw import Raw

pytestmark = pytest.mark.slow


@pytest.fixture
def name(mariadb: servers.MariaDB, worker: str) -> Iterator[str]:
    """The name of an existing site's database, with rows."""
    name = f"tests_held_{worker}"
    mariadb.fresh(name)
    with contextlib.closing(Raw(mariadb.url(name))) as raw:
        given_schema.create(raw)
        given_schema.fill(raw)
    yield name
    mariadb.drop(name)


@pytest.fixture
def url(name: str, mariadb: servers.MariaDB) -> str:
    return mariadb.url(name)


@pytest.fixture
def reader(url: str) -> Iterator[Raw]:
    """A program that reads for long, such as a back-up."""
    with contextlib.closing(Raw(url)) as connection:
        connection.execute("BEGIN")
        yield connection


def told(url: str, *command: str) -> Result:
    app = create_app(Settings(**SETTINGS_DEFAULTS, database_url=url))
    result = app.test_cli_runner().invoke(args=command)
    with app.app_context():
        db.engine.dispose()
    return result


def sentence(result: Result) -> str:
    """What a command that failed said last."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


@contextlib.contextmanager
def writing_beside(url: str) -> Iterator[list[int]]:
    """The existing site writes meanwhile; the numbers of its writes that are done."""
    done: list[int] = []
    over = threading.Event()

    def write() -> None:
        with contextlib.closing(Raw(url)) as site:
            while not over.wait(0.02):
                site.execute(given_schema.RUN_OF_THE_SITE, [f"beside-{len(done)}"])
                site.execute("UPDATE test_result SET runtime = ?", [len(done)])
                done.append(len(done))

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        try:
            yield done
        finally:
            over.set()
            writing.result()


@pytest.fixture
def between_tries(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Replace the pauses between the tries of one change by something that is done."""

    def replace(act: Callable[[], None]) -> None:
        def pause(seconds: float) -> None:
            if seconds:
                act()

        monkeypatch.setattr(giving_way, "time", SimpleNamespace(sleep=pause))

    return replace


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("test_result", "CREATE INDEX ix_test_result_runtime ON test_result"),
        ("test", "CREATE TRIGGER run_record_stamp AFTER INSERT ON test"),
    ],
)
def test_an_upgrade_holds_nobody_up_says_who_holds_a_table_and_can_be_run_again(
    url: str,
    reader: Raw,
    table: str,
    change: str,
    between_tries: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(giving_way, "PAUSES", (0, 1, 1, 1))
    reader.execute(f"SELECT * FROM {table}")
    ((number,),) = reader.execute("SELECT CONNECTION_ID()")
    let_through = []

    def let_others_write() -> None:
        least = len(done) + 2  # one that waited, and one that began afterwards
        until(lambda: len(done) >= least)
        let_through.append(least)

    between_tries(let_others_write)
    with writing_beside(url) as done:
        stopped = told(url, "db", "upgrade")
    reader.execute("COMMIT")
    again = told(url, "db", "upgrade")

    assert change in sentence(stopped)
    assert f"probably connection {number} of " in sentence(stopped)
    assert len(let_through) >= 3
    assert again.exit_code == 0, again.output


def test_an_upgrade_goes_on_when_a_long_transaction_has_ended(
    url: str, reader: Raw, between_tries: Callable[[Callable[[], None]], None]
) -> None:
    reader.execute("SELECT * FROM test_result")
    waited = []

    def end_at_last() -> None:
        waited.append(1)
        if len(waited) == 3:
            reader.execute("COMMIT")

    between_tries(end_at_last)
    upgraded = told(url, "db", "upgrade")

    assert upgraded.exit_code == 0, upgraded.output
    assert len(waited) >= 3


def test_who_may_not_see_other_accounts_is_told_where_to_look(
    name: str, reader: Raw, mariadb: servers.MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mariadb.limited_user is None:
        pytest.skip("TEST_MARIADB_URL names no account without the right to PROCESS")
    monkeypatch.setattr(giving_way, "PAUSES", (0,))
    reader.execute("SELECT * FROM test_result")

    stopped = told(mariadb.url(name, limited=True), "db", "upgrade")

    assert "the oldest transaction in information_schema.innodb_trx" in sentence(stopped)


def test_triggers_that_are_made_anew_give_way_as_well(
    url: str, reader: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(url, "db", "upgrade")
    monkeypatch.setattr(giving_way, "PAUSES", (0,))
    reader.execute("SELECT * FROM test_progress")

    stopped = told(url, "rollup", "adopt")

    assert "TRIGGER rollup_progress_" in sentence(stopped)


def test_other_statements_wait_for_as_long_as_before(url: str) -> None:
    app = create_app(Settings(**SETTINGS_DEFAULTS, database_url=url))
    with app.app_context(), db.engine.connect() as connection:
        before = connection.exec_driver_sql("SELECT @@lock_wait_timeout").scalar_one()
        connection.exec_driver_sql("CREATE TABLE made (id INTEGER)")

        assert connection.exec_driver_sql("SELECT @@lock_wait_timeout").scalar_one() == before
        assert "made" in inspect(connection).get_table_names()
    with app.app_context():
        db.engine.dispose()
