"""Statements outside of the ORM: whatever is in them, and by every driver."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import String, bindparam, func, literal, select

from database import fetch, fetch_first, fetch_value, fetch_values, reading
from database.spans import A_LIST, MOST_SPANS, among, is_among, joined, padded
from mod_auth.models import Role, User
from tests import factories

# What a driver or a regular expression may take for something else.
AWKWARD = [
    "%", "%s", "100%%", "%(name)s", "?", "it's", "'", '"', "\\", "\\'", ":name", "{}", "é𝄞",
    "__[POSTCOMPILE_x]", "--", "/* */", "",
]  # fmt: skip
ID = bindparam("id")
MOMENT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


@pytest.fixture(autouse=True)
def unit(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.mark.parametrize("text", AWKWARD)
def test_a_constant_and_a_parameter_come_back_as_they_were(text: str) -> None:
    statement = select(
        literal(text, String), bindparam("given", type_=String), func.coalesce(literal(text), "")
    )
    with reading():
        for _ in range(2):
            assert tuple(fetch(statement, {"given": text})[0]) == (text, text, text)


def test_a_row_has_the_names_and_the_types_of_its_columns(app: Flask) -> None:
    account = factories.account(Role.tester)
    statement = select(User.id, User.role, User.name.label("called")).where(User.id == ID)

    with reading():
        row = fetch_first(statement, {"id": account.id})
        assert row is not None
        assert (row.id, row.role, row.called) == (account.id, Role.tester, account.name)
        assert fetch_first(statement, {"id": 0}) is None
        assert fetch_value(statement, {"id": account.id}) == account.id


@pytest.mark.parametrize("numbers", [[], [1], [3, 1, 2], list(range(40))])
def test_a_list_is_as_long_as_what_is_given(numbers: list[int]) -> None:
    accounts = [factories.account().id for _ in range(3)]
    wanted = [accounts[number % 3] for number in numbers]
    statement = select(User.id).where(User.id.in_(bindparam("ids", expanding=True)))
    texts = select(User.id).where(User.name.in_(bindparam("names", expanding=True)))

    with reading():
        names = [name for (name,) in fetch(select(User.name).where(User.id.in_(wanted)))]
        assert set(fetch_values(statement, {"ids": wanted})) == set(wanted)
        assert set(fetch_values(texts, {"names": names})) == set(wanted)


def test_what_a_parameter_calls_is_called_once_for_a_statement() -> None:
    calls = []

    def call() -> int:
        calls.append(1)
        return len(calls)

    called = bindparam("called", callable_=call, type_=User.id.type)
    statement = select(called.label("one"), called.label("other"))
    with reading():
        assert [tuple(row) for row in fetch(statement)] == [(1, 1)]
        assert [tuple(row) for row in fetch(statement)] == [(2, 2)]


@pytest.mark.parametrize(
    ("numbers", "spans"),
    [([5], 1), ([1, 2, 3], 1), ([3, 1, 7], 3), ([1, 3, 5, 7, 9], 5), (range(1, 99, 2), 49)],
)
def test_numbers_are_found_by_their_spans(numbers: list[int], spans: int) -> None:
    accounts = sorted(factories.account().id for _ in range(12))
    first = accounts[0]
    wanted = [first + number for number in numbers]
    shape, params = among("ids", wanted)

    assert len(joined((number, number) for number in wanted)) == spans
    assert shape == (A_LIST if spans > MOST_SPANS else padded(spans))
    with reading():
        found = fetch_values(select(User.id).where(is_among(User.id, "ids", shape)), params)
    assert sorted(found) == [account for account in accounts if account in wanted]


def test_no_numbers_are_none() -> None:
    shape, params = among("ids", [])

    factories.account()
    with reading():
        assert fetch(select(User.id).where(is_among(User.id, "ids", shape)), params) == []
