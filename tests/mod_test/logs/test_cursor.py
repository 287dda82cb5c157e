"""Cursors: only what we made, and only for what we made it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mod_test.cursors import BadCursor, open_sealed, seal
from mod_test.logs.cursor import open_offset, seal_offset
from mod_test.logs.filters import Filters
from mod_test.logs.legacy_line_levels import Level

KEY = b"a key for tests"
ERRORS = Filters(level=Level.ERROR, contains="x")


def test_a_cursor_gives_its_offset_back() -> None:
    cursor = seal_offset(2**40, run_id=5, order="asc", filters=ERRORS, key=KEY)

    assert open_offset(cursor, run_id=5, order="asc", filters=ERRORS, key=KEY) == 2**40
    assert len(cursor) <= 255


def test_the_largest_cursor_is_short_enough() -> None:
    filters = Filters(level=Level.CRITICAL, contains="🎬" * 100, regression_id=2**31 - 1)

    cursor = seal_offset(2**63, run_id=2**31 - 1, order="desc", filters=filters, key=KEY)

    assert len(cursor) <= 255


@pytest.mark.parametrize(
    ("run_id", "order", "filters", "key"),
    [
        (6, "asc", ERRORS, KEY),
        (5, "desc", ERRORS, KEY),
        (5, "asc", Filters(level=Level.ERROR), KEY),
        (5, "asc", Filters(level=Level.ERROR, contains="X"), KEY),
        (5, "asc", Filters(level=Level.ERROR, contains="x", regression_id=1), KEY),
        (5, "asc", ERRORS, b"another key"),
    ],
)
def test_a_cursor_of_another_question_is_refused(
    run_id: int, order: str, filters: Filters, key: bytes
) -> None:
    cursor = seal_offset(10, run_id=5, order="asc", filters=ERRORS, key=KEY)

    with pytest.raises(BadCursor):
        open_offset(cursor, run_id=run_id, order=order, filters=filters, key=key)  # type: ignore[arg-type]


def test_a_cursor_altered_anywhere_is_refused() -> None:
    cursor = seal_offset(10, run_id=5, order="asc", filters=ERRORS, key=KEY)

    for at, letter in enumerate(cursor):
        for other in string.ascii_letters + string.digits + "-_.!= ":
            if other != letter:
                with pytest.raises(BadCursor):
                    open_sealed("log", cursor[:at] + other + cursor[at + 1 :], KEY)


@given(st.text())
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        open_sealed("log", text, KEY)


@given(st.text(alphabet=string.ascii_letters + "-_.=", max_size=3))
def test_a_cursor_with_something_added_is_refused(added: str) -> None:
    cursor = seal("log", {"a": 1}, KEY)

    for text in (cursor + added, added + cursor):
        if text != cursor:
            with pytest.raises(BadCursor):
                open_sealed("log", text, KEY)


def test_a_cursor_of_another_kind_is_refused() -> None:
    with pytest.raises(BadCursor):
        open_sealed("runs", seal("log", {"a": 1}, KEY), KEY)


def test_a_sealed_thing_that_is_no_offset_is_refused() -> None:
    for payload in ({}, {"run": 5, "order": "asc", "filters": Filters().digest(), "at": "7"}):
        with pytest.raises(BadCursor):
            open_offset(
                seal("log", payload, KEY), run_id=5, order="asc", filters=Filters(), key=KEY
            )


def test_a_payload_that_makes_a_cursor_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="characters"):
        seal("runs", {"key": "".join(map(chr, range(300, 700)))}, KEY)
