"""Batches: statements in one message, executed in order, none after one that fails, none lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from database import (
    CHOSEN,
    Batch,
    chosen,
    db,
    fetch,
    fetch_value,
    keep,
    last_row_id,
    reading,
    timing,
    writing,
    written,
)
from mod_auth.models import AuditEvent, Role, User
from tests import factories
from tests.conftest import only_on_mariadb
from tests.raw import Raw
from tests.sql import counted

NAMES = "SELECT name FROM user ORDER BY name"
ADD = insert(cast("sa.Table", User.__table__)).values(password="")
NAMED = select(User.name, User.id).where(User.name == bindparam("name"))
NOTE = (
    update(User)
    .where(User.id == bindparam("of"))
    .values(password=bindparam("to"))
    .execution_options(synchronize_session=False)
)
LOCK = select(User.id).where(User.id == bindparam("of")).with_for_update()
# No database can execute this one.
WRONG: sa.Select[Any] = select(sa.column("nothing")).select_from(sa.table("nowhere"))
# What a driver may take for something else.
AWKWARD = [
    "%", "%s", "100%%", "%(name)s", "?", "it's", "'", '"', "\\", "\\'", ":name", "{}", "é𝄞", ";",
    "__[POSTCOMPILE_x]", "--", "/* */", "",
]  # fmt: skip


@pytest.fixture(autouse=True)
def unit(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def on_mariadb() -> bool:
    return db.engine.dialect.name != "sqlite"


def send(*asked: tuple[sa.Executable, dict[str, Any]]) -> list[list[tuple[Any, ...]]]:
    """The rows of each statement of one batch."""
    batch = Batch()
    outcomes = [batch.add(statement, params) for statement, params in asked]
    batch.send()
    return [[tuple(row) for row in outcome.rows] for outcome in outcomes]


def test_each_statement_is_answered_by_its_own_rows(raw: Raw) -> None:
    with writing(pipelined=True):
        batch = Batch()
        one, two = (batch.add(ADD, {"name": name}) for name in ("100%;'", "b"))
        found, none = batch.add(NAMED, {"name": "b"}), batch.add(NAMED, {"name": ""})
        with pytest.raises(RuntimeError):
            _ = one.row_id
        batch.send()

    assert [(row.name, row.id) for row in found.rows] == [("b", two.row_id)]
    assert list(none.rows) == []
    rows = raw.execute("SELECT id, name FROM user ORDER BY id")
    assert rows == [(one.row_id, "100%;'"), (two.row_id, "b")]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_value_and_a_constant_come_back_as_they_were(text: str) -> None:
    statement = select(
        sa.literal(text, sa.String), bindparam("given", type_=sa.String), bindparam("number")
    )
    with writing(pipelined=True):
        assert send((statement, {"given": text, "number": 1})) == [[(text, text, 1)]]


def test_values_have_the_types_of_their_columns() -> None:
    account = factories.account(Role.tester)
    event = {
        "at": datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC), "account_id": None,
        "account_name": "a", "action": "x", "subject_type": "y", "subject_id": 3, "details": "{}",
    }  # fmt: skip
    of_role = select(User.role.label("role_of"), User.id).where(User.role == bindparam("role"))
    with writing(pipelined=True):
        added = Batch()
        outcome = added.add(insert(cast("sa.Table", AuditEvent.__table__)), event)
        of = added.add(of_role, {"role": Role.tester})
        at = added.add(select(AuditEvent.at), {})
        added.send()
        assert [(row.role_of, row.id) for row in of.rows] == [(Role.tester, account.id)]
        assert [row.at for row in at.rows] == [event["at"]]

    assert db.session.get_one(AuditEvent, outcome.row_id).at == event["at"]


@only_on_mariadb
@pytest.mark.usefixtures("app")
def test_a_batch_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    with writing(pipelined=True):
        driver = db.session.connection().connection.driver_connection
        assert driver is not None
        cursor_of = driver.cursor

        def noting(*args: Any) -> Any:
            cursor = cursor_of(*args)
            execute = cursor.execute

            def execute_and_note(text: str, values: Any = None) -> Any:
                texts.append(text)
                return execute(text, values)

            cursor.execute = execute_and_note
            return cursor

        monkeypatch.setattr(driver, "cursor", noting)
        send((NAMED, {"name": "a"}), (NAMED, {"name": "b"}))
        monkeypatch.undo()

    assert len(texts) == 1
    assert texts[0].count("SELECT") == 2


CHOOSE = select(chosen(User.id).label("id"), User.name).where(User.name == bindparam("name"))
ABOUT = select(User.name, bindparam("mark", type_=sa.Integer)).where(User.id == bindparam("of"))


@pytest.mark.parametrize("is_watched", [False, True])
def test_what_is_chosen_is_asked_about_in_the_same_batch(app: Flask, is_watched: bool) -> None:
    factories.account(name="a")
    b = factories.account(name="b")
    about = (ABOUT, {"of": CHOSEN, "mark": 7})

    def ask(name: str) -> list[list[tuple[Any, ...]]]:
        batch = Batch()
        outcomes = [
            batch.add(NAMED, {"name": "a"}),
            batch.choose(CHOOSE, {"name": name}),
            batch.add(*about),
            batch.add(*about),
        ]
        batch.send()
        return [[tuple(row)[:2] for row in outcome.rows] for outcome in outcomes]

    with counted(app) if is_watched else nullcontext(), writing(pipelined=True):
        found, none = ask("b"), ask("nobody")

    assert found[1:] == [[(b.id, "b")], [("b", 7)], [("b", 7)]]
    # What was chosen before is not asked about again.
    assert none == [found[0], [], [], []]


def test_the_last_row_is_the_one_that_was_inserted_right_before(raw: Raw) -> None:
    note = (
        update(User)
        .where(User.id == last_row_id())
        .values(password=bindparam("to"))
        .execution_options(synchronize_session=False)
    )
    with writing(pipelined=True):
        send(*[each for name in "ab" for each in ((ADD, {"name": name}), (note, {"to": name * 2}))])

    assert raw.execute("SELECT name, password FROM user ORDER BY name") == [
        ("a", "aa"), ("b", "bb"),
    ]  # fmt: skip


def test_who_watches_sees_each_statement(app: Flask, raw: Raw) -> None:
    with counted(app) as statements, writing(pipelined=True):
        send((ADD, {"name": "a"}), (NAMED, {"name": "a"}), (ADD, {"name": "b"}))

    assert [statement.split()[0] for statement in statements] == ["INSERT", "SELECT", "INSERT"]
    assert raw.execute(NAMES) == [("a",), ("b",)]


def test_each_statement_counts() -> None:
    before = timing.statements_of_this_thread()
    with writing(pipelined=True):
        send((NAMED, {"name": "a"}), (NAMED, {"name": "b"}), (ADD, {"name": "a"}))

    assert timing.statements_of_this_thread() - before == 3


def test_a_batch_belongs_to_a_unit_of_work_that_writes() -> None:
    with reading(), pytest.raises(RuntimeError):
        Batch()


def test_only_pipelined_connections_take_several_statements(app: Flask) -> None:
    two = sa.text("SELECT 1; SELECT 2")
    with pytest.raises((DBAPIError, sa.exc.ProgrammingError)), writing():
        db.session.connection().execute(two)


def test_what_is_raised_undoes_a_batch(raw: Raw) -> None:
    with pytest.raises(KeyError), writing(pipelined=True):
        send((ADD, {"name": "a"}))
        raise KeyError

    with writing(pipelined=True):
        send((ADD, {"name": "c"}))
    assert raw.execute(NAMES) == [("c",)]


def test_what_is_kept_outlives_what_is_raised(raw: Raw) -> None:
    with pytest.raises(KeyError), writing(pipelined=True):
        send((ADD, {"name": "kept"}))
        keep()
        send((ADD, {"name": "not kept"}))
        raise KeyError

    assert raw.execute(NAMES) == [("kept",)]


def test_a_refusal_undoes_all_and_is_raised(raw: Raw) -> None:
    taken = factories.account().id
    before = raw.execute(NAMES)

    with pytest.raises(IntegrityError), writing(pipelined=True):
        send(
            (ADD, {"name": "before"}),
            (ADD, {"name": "refused", "id": taken}),
            (ADD, {"name": "after"}),
        )

    assert raw.execute(NAMES) == before
    with writing(pipelined=True):  # on the same connection, most likely
        assert send((NAMED, {"name": "before"})) == [[]]
    assert raw.execute(NAMES) == before


@pytest.mark.parametrize("place", [0, 1, 2])
def test_after_a_refusal_nothing_more_is_executed(place: int, raw: Raw) -> None:
    asked: list[tuple[sa.Executable, dict[str, str]]] = [(ADD, {"name": name}) for name in "ab"]
    asked.insert(place, (WRONG, {}))

    with pytest.raises(DBAPIError), writing(pipelined=True):
        try:
            send(*asked)
        finally:
            names = [name for (name,) in db.session.execute(sa.text(NAMES))]

    assert names == ["a", "b"][:place]
    assert raw.execute(NAMES) == []


def test_after_its_commit_a_connection_begins_anew(raw: Raw) -> None:
    with writing(pipelined=True):
        send((ADD, {"name": "a"}))
    with pytest.raises(KeyError), writing(pipelined=True):
        send((ADD, {"name": "b"}))
        raise KeyError
    with writing(pipelined=True):
        assert send((NAMED, {"name": "b"})) == [[]]

    # Nothing holds the table any more.
    raw.execute("DELETE FROM user")
    assert raw.execute(NAMES) == []


@only_on_mariadb
def test_a_commit_that_fails_leaves_nothing_open(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect = db.engine.dialect

    def refuse(_driver: Any) -> None:
        raise dialect.loaded_dbapi.OperationalError(1180, "refused")

    with monkeypatch.context() as patched, pytest.raises(DBAPIError), writing():
        db.session.execute(ADD, {"name": "a"})
        patched.setattr(dialect, "do_commit", refuse)

    raw.execute("DELETE FROM user")  # nothing holds a row
    with reading():
        assert fetch_value(NAMED, {"name": "a"}) is None


@pytest.mark.parametrize("pipelined", [True, False])
def test_a_victim_of_a_deadlock_is_done_again(app: Flask, pipelined: bool, raw: Raw) -> None:
    first, second = (factories.account().id for _ in range(2))
    both = threading.Barrier(2, timeout=30)
    tries: list[str] = []
    failed: list[Exception] = []

    def swap(name: str, mine: int, theirs: int) -> Callable[[], None]:
        def work() -> None:
            tries.append(name)
            if on_mariadb():
                fetch(LOCK, {"of": mine})
                if len(tries) <= 2:
                    both.wait()  # each has the row that the other one wants
            send(*[(NOTE, {"of": of, "to": name}) for of in (theirs, mine)])

        def run() -> None:
            try:
                with app.app_context():
                    written(work, pipelined=pipelined)
            except Exception as error:  # noqa: BLE001  raised again in the test's own thread
                failed.append(error)

        return run

    threads = [
        threading.Thread(target=swap("x", first, second)),
        threading.Thread(target=swap("y", second, first)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert len(tries) == (3 if on_mariadb() else 2)
    names = raw.execute(f"SELECT password FROM user WHERE id IN ({first}, {second})")
    assert names in ([("x",)] * 2, [("y",)] * 2)


@only_on_mariadb
@pytest.mark.usefixtures("app")
def test_a_connection_that_broke_is_replaced(raw: Raw) -> None:
    with pytest.raises(DBAPIError) as raised, writing(pipelined=True):
        ((number,),) = send((select(sa.func.connection_id().label("number")), {}))[0]
        raw.execute(f"KILL {number}")
        send((ADD, {"name": "lost"}))

    assert raised.value.connection_invalidated
    with writing(pipelined=True):
        send((ADD, {"name": "found"}))
    assert raw.execute(NAMES) == [("found",)]
