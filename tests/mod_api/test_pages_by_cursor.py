"""Pages by cursor: rows that arrive in between neither repeat nor vanish."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mod_api.schemas.runs import SORTS
from tests import factories
from tests.factories import START
from tests.raw import Raw

Get = Callable[..., Any]


def walk(get: Get, path: str, between: Callable[[], object] = lambda: None, **query: Any) -> Any:
    """The rows of all pages by cursor, with something happening after each."""
    found, cursor = [], {}
    while True:
        page = get(path, **query, **cursor)
        assert page["pagination"]["offset"] == len(found)
        found += page["data"]
        if page["pagination"]["next_cursor"] is None:
            assert page["pagination"]["next_offset"] is None
            return found
        assert page["pagination"]["next_offset"] == len(found)
        cursor = {"cursor": page["pagination"]["next_cursor"]}
        between()


def some_runs() -> None:
    """Runs of equal and different ages, half of them never started."""
    for number in range(9):
        factories.run(
            created_at=START + timedelta(minutes=number // 3),
            progress=["preparation"] if number % 2 else (),
        )


@pytest.mark.parametrize("sort", SORTS)
def test_a_walk_by_cursor_has_every_run_once_in_the_order_of_one_page(get: Get, sort: str) -> None:
    some_runs()

    everything = get("/runs", sort=sort)["data"]
    walked = walk(get, "/runs", sort=sort, limit=2)

    assert [run["run_id"] for run in walked] == [run["run_id"] for run in everything]
    assert len(walked) == 9


@pytest.mark.parametrize("sort", SORTS)
def test_runs_that_arrive_in_between_neither_repeat_nor_displace_others(
    get: Get, sort: str
) -> None:
    some_runs()
    there = [run["run_id"] for run in get("/runs", sort=sort)["data"]]
    arriving = iter([-5, 1, 60])

    def arrive() -> None:
        for minutes in arriving:
            factories.run(created_at=START + timedelta(minutes=minutes), progress=["preparation"])
            return

    walked = [run["run_id"] for run in walk(get, "/runs", arrive, sort=sort, limit=3)]

    assert [run for run in walked if run in there] == there
    assert len(set(walked)) == len(walked)


def test_times_that_another_program_wrote_in_its_own_way_keep_their_place(
    get: Get, raw: Raw
) -> None:
    for number in range(6):
        run = factories.run(created_at=START)
        text = "2026-01-01 00:00:00" if number % 2 else "2026-01-01 00:00:00.500"
        raw.execute("UPDATE run_record SET created_at = ? WHERE test_id = ?", (text, run.id))
        raw.execute(
            "INSERT INTO test_progress (test_id, status, timestamp, message) VALUES (?, ?, ?, '')",
            (run.id, "testing", text),
        )

    for sort in SORTS:
        everything = get("/runs", sort=sort)["data"]
        assert walk(get, "/runs", sort=sort, limit=1) == everything


def test_a_cursor_is_refused_beside_an_offset_with_other_filters_or_altered(get: Get) -> None:
    some_runs()
    cursor = get("/runs", limit=2)["pagination"]["next_cursor"]

    for query in (
        {"cursor": cursor, "offset": 0},
        {"cursor": cursor, "sort": "created_at"},
        {"cursor": cursor, "platform": "linux"},
        {"cursor": cursor[:-1] + ("A" if cursor[-1] != "A" else "B")},
        {"cursor": "made-up"},
        {"cursor": ""},
        {"cursor": "x" * 256},
        {"cursor": "ключ"},
    ):
        answer = get("/runs", 400, limit=2, **query)
        assert list(answer["details"]["fields"]) == ["cursor"]
    assert len(get("/runs", limit=5, cursor=cursor)["data"]) == 5
