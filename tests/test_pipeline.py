"""Statements in one message: executed in order, none after one that fails, none lost."""

import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any, cast

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from database import (
    CHOSEN,
    chosen,
    db,
    fetch,
    fetch_chosen,
    fetch_each,
    fetch_value,
    keep,
    last_row_id,
    pipeline,
    reading,
    timing,
    write_later,
    writing,
    written,
)
from mod_auth.models import User
from tests import factories
from tests.conftest import only_on_mariadb
from tests.raw import Raw
from tests.sql import change_now, counted

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
# One that no database carries out.
WRONG: sa.Select[Any] = select(sa.column("nothing")).select_from(sa.table("nowhere"))


@pytest.fixture(autouse=True)
def unit(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The messages that go to the database from now on: how each of their statements begins."""
    messages: list[list[str]] = []
    send = pipeline._send

    def noting(
        driver: object, statements: list[pipeline.Statement], *, deferred: int = 0
    ) -> list[object]:
        messages.append([one.text.split()[0] for one in statements])
        return send(driver, statements, deferred=deferred)

    monkeypatch.setattr(pipeline, "_send", noting)
    return messages


def on_mariadb(app: Flask) -> bool:
    return db.engine.dialect.name != "sqlite"


def test_each_statement_is_answered_by_its_own_rows() -> None:
    with writing():
        one, two = (write_later(ADD, {"name": name}) for name in ("100%;'", "b"))
        found = fetch_each(
            (NAMED, {"name": "b"}), (NAMED, {"name": ""}), (NAMED, {"name": "100%;'"})
        )

    assert (one.result.rows, two.result.rows) == (1, 1)
    assert found == [[("b", two.result.row_id)], [], [("100%;'", one.result.row_id)]]
    assert found[0][0].name == "b"


def test_what_is_deferred_is_executed_before_what_comes_next(raw: Raw) -> None:
    with writing():
        write_later(ADD, {"name": "a"})
        assert [row.name for row in fetch(NAMED, {"name": "a"})] == ["a"]
        write_later(ADD, {"name": "b"})
        # By way of the session as well.
        assert db.session.scalars(select(User.name).order_by(User.name)).all() == ["a", "b"]
        write_later(ADD, {"name": "c"})
        db.session.execute(sa.insert(User), [{"name": name, "password": ""} for name in "df"])
        write_later(ADD, {"name": "e"})

    assert raw.execute(NAMES) == [(name,) for name in "abcdef"]


def test_a_unit_of_work_sends_few_messages(app: Flask, sent: list[list[str]]) -> None:
    with writing():
        fetch_each((NAMED, {"name": "a"}), (NAMED, {"name": "b"}))
        write_later(ADD, {"name": "a"})
        write_later(ADD, {"name": "b"})

    if on_mariadb(app):
        assert sent == [["SET", "SELECT", "SELECT"], ["INSERT", "INSERT", "COMMIT"]]
    else:
        assert sent == [["SELECT"], ["SELECT"], ["INSERT"], ["INSERT"]]


CHOOSE = select(chosen(User.id).label("id"), User.name).where(User.name == bindparam("name"))
ABOUT = select(User.name, bindparam("mark", type_=sa.Integer)).where(User.id == bindparam("of"))


@pytest.mark.parametrize("is_watched", [False, True])
def test_what_is_chosen_is_asked_about_in_the_same_message(
    app: Flask, sent: list[list[str]], is_watched: bool
) -> None:
    factories.account(name="a")
    b = factories.account(name="b")
    sent.clear()
    about = (ABOUT, {"of": CHOSEN, "mark": 7})
    with counted(app) if is_watched else nullcontext(), writing():
        before = [(NAMED, {"name": "a"})]
        found = fetch_chosen((CHOOSE, {"name": "b"}), about, about, before=before)
        none = fetch_chosen((CHOOSE, {"name": "nobody"}), about, about, before=before)

    assert [[tuple(row)[:2] for row in rows] for rows in found[1:]] == [
        [(b.id, "b")], [("b", 7)], [("b", 7)],
    ]  # fmt: skip
    assert [row.name for row in found[0]] == ["a"]
    # What was chosen before is not asked about again.
    assert none == [found[0], [], [], []]
    if on_mariadb(app) and not is_watched:
        assert sent == [
            ["SET", "SELECT", "SET", "SELECT", "SELECT", "SELECT"],
            ["SELECT", "SET", "SELECT", "SELECT", "SELECT"],
        ]


def test_a_deferred_write_has_a_result_once_it_was_sent(app: Flask, raw: Raw) -> None:
    with writing():
        a = write_later(ADD, {"name": "a"})
        if on_mariadb(app):
            with pytest.raises(RuntimeError):
                _ = a.result
        b = write_later(ADD, {"name": "b"})
        note = write_later(NOTE, {"of": 0, "to": "x"})

    rows = raw.execute("SELECT id, name FROM user ORDER BY id")
    assert rows == [(a.result.row_id, "a"), (b.result.row_id, "b")]
    assert (a.result.rows, note.result.rows) == (1, 0)


def test_the_last_row_is_the_one_that_was_inserted_right_before(raw: Raw) -> None:
    note = (
        update(User)
        .where(User.id == last_row_id())
        .values(password=bindparam("to"))
        .execution_options(synchronize_session=False)
    )
    with writing():
        for name in "ab":
            write_later(ADD, {"name": name})
            write_later(note, {"to": name * 2})

    assert raw.execute("SELECT name, password FROM user ORDER BY name") == [
        ("a", "aa"), ("b", "bb"),
    ]  # fmt: skip


def test_who_watches_sees_each_statement(app: Flask, raw: Raw) -> None:
    with counted(app) as statements, writing():
        write_later(ADD, {"name": "a"})
        fetch_each((NAMED, {"name": "a"}), (NAMED, {"name": "b"}))
        write_later(ADD, {"name": "b"})

    kinds = [statement.split()[0] for statement in statements]
    assert [kind for kind in kinds if kind != "SET"] == ["INSERT", "SELECT", "SELECT", "INSERT"]
    assert raw.execute(NAMES) == [("a",), ("b",)]


def test_each_statement_counts() -> None:
    before = timing.statements_of_this_thread()
    with writing():
        fetch_each((NAMED, {"name": "a"}), (NAMED, {"name": "b"}))
        write_later(ADD, {"name": "a"})

    assert timing.statements_of_this_thread() - before == 3


def test_what_is_raised_undoes_what_is_deferred_too(raw: Raw) -> None:
    with pytest.raises(KeyError), writing():
        write_later(ADD, {"name": "a"})
        fetch(NAMED, {"name": "a"})
        write_later(ADD, {"name": "b"})
        raise KeyError

    with writing():
        write_later(ADD, {"name": "c"})
    assert raw.execute(NAMES) == [("c",)]


def test_what_is_kept_includes_what_was_deferred(raw: Raw) -> None:
    with pytest.raises(KeyError), writing():
        write_later(ADD, {"name": "kept"})
        keep()
        write_later(ADD, {"name": "not kept"})
        raise KeyError

    assert raw.execute(NAMES) == [("kept",)]


def test_a_refusal_at_the_end_undoes_all_and_is_raised(raw: Raw) -> None:
    taken = factories.account().id
    raw.execute("DELETE FROM user WHERE id <> ?", [taken])
    before = raw.execute(NAMES)

    with pytest.raises(IntegrityError), writing():
        write_later(ADD, {"name": "before"})
        write_later(ADD, {"name": "refused", "id": taken})
        write_later(ADD, {"name": "after"})

    assert raw.execute(NAMES) == before
    with writing():
        assert fetch_value(NAMED, {"name": "before"}) is None
    assert raw.execute(NAMES) == before


@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize("is_borne", [False, True])
def test_a_refused_unit_is_undone_even_where_somebody_else_bears_the_refusal(
    app: Flask, is_watched: bool, is_borne: bool, raw: Raw
) -> None:
    taken = factories.account().id
    before = raw.execute(NAMES)

    with counted(app) if is_watched else nullcontext(), pytest.raises(IntegrityError), writing():
        write_later(ADD, {"name": "before"})
        write_later(ADD, {"name": "refused", "id": taken})
        if is_borne:
            write_later(ADD, {"name": "after"})
            with suppress(IntegrityError), db.session.begin_nested():
                db.session.add(User(name="somebody else's", password=""))

    assert raw.execute(NAMES) == before
    with writing():  # on the same connection, most likely
        write_later(NOTE, {"of": taken, "to": "x"})
    assert raw.execute(NAMES) == before


@pytest.mark.parametrize("place", [0, 1, 2])
def test_after_a_refusal_nothing_more_is_carried_out(place: int, raw: Raw) -> None:
    asked: list[tuple[sa.Executable, dict[str, str]]] = [(NAMED, {"name": name}) for name in "ab"]
    asked.insert(place, (WRONG, {}))

    with pytest.raises(DBAPIError), writing():
        write_later(ADD, {"name": "a"})
        fetch_each(*asked)

    assert raw.execute(NAMES) == []
    with writing():  # on the same connection, most likely
        assert fetch_each(*asked[:place], *asked[place + 1 :]) == [[], []]


def test_what_cannot_be_read_leaves_the_connection_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with reading():
        connection = db.session.connection()
        failing = pipeline.Statement("SELECT 1", (), lambda cursor: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            pipeline.send(connection, [failing, pipeline.Statement("SELECT 2")])
        rows = pipeline.Statement("SELECT 3", (), lambda cursor: cursor.fetchall())
        assert [tuple(row) for row in pipeline.send(connection, [rows])[0]] == [(3,)]


def test_after_its_commit_a_connection_begins_anew(raw: Raw) -> None:
    with writing():
        write_later(ADD, {"name": "a"})
    with pytest.raises(KeyError), writing():
        fetch_each((NAMED, {"name": "a"}))
        change_now(ADD, {"name": "b"})
        raise KeyError
    with reading():
        assert fetch_value(NAMED, {"name": "b"}) is None

    # Nothing holds the table any more.
    raw.execute("DELETE FROM user")
    assert raw.execute(NAMES) == []


@pytest.mark.parametrize("at_the_end", [True, False])
def test_a_victim_of_a_deadlock_is_done_again(app: Flask, at_the_end: bool, raw: Raw) -> None:
    first, second = (factories.account().id for _ in range(2))
    both = threading.Barrier(2, timeout=30)
    tries: list[str] = []
    failed: list[Exception] = []

    def swap(name: str, mine: int, theirs: int) -> Callable[[], None]:
        def work() -> None:
            tries.append(name)
            if on_mariadb(app):
                fetch(LOCK, {"of": mine})
                if len(tries) <= 2:
                    both.wait()  # each has the row that the other one wants
            if at_the_end:
                write_later(NOTE, {"of": theirs, "to": name})
                write_later(NOTE, {"of": mine, "to": name})
            else:
                change_now(NOTE, {"of": theirs, "to": name})
                change_now(NOTE, {"of": mine, "to": name})

        def run() -> None:
            try:
                with app.app_context():
                    written(work)
            except Exception as error:  # noqa: BLE001  told in the test's own thread
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
    assert len(tries) == (3 if on_mariadb(app) else 2)
    names = raw.execute(f"SELECT password FROM user WHERE id IN ({first}, {second})")
    assert names in ([("x",)] * 2, [("y",)] * 2)


@only_on_mariadb
@pytest.mark.usefixtures("app")
def test_a_connection_that_broke_is_replaced(raw: Raw) -> None:
    with pytest.raises(DBAPIError) as raised, writing():
        ((number,),) = fetch_each((select(sa.func.connection_id()), {}))[0:1]
        write_later(ADD, {"name": "lost"})
        raw.execute(f"KILL {number[0]}")

    assert raised.value.connection_invalidated
    with writing():
        write_later(ADD, {"name": "found"})
    assert raw.execute(NAMES) == [("found",)]
