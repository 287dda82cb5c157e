"""One regression test's lines, by the index, whatever state a crash left it in."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_test.logs.append import append, settle
from mod_test.logs.filters import Filters
from mod_test.logs.index import path_of, read_test_page
from mod_test.logs.legacy_line_levels import Level
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import DEFAULT_BOUNDS, Bounds, Order
from mod_test.logs.source import FileLog, LogSource
from tests.mod_test.logs.samples import (
    BOUNDS,
    LINES,
    LONG,
    STARTED_AT,
    MemoryLog,
    all_lines,
    structured,
    told,
)

TIME = "2026-01-01T00:00:00.000Z"
EVERYTHING = Filters()


def read_test(
    log: LogSource,
    index: LogSource,
    regression_id: int,
    *,
    order: Order = "asc",
    limit: int = 100,
    filters: Filters = EVERYTHING,
    bounds: Bounds = DEFAULT_BOUNDS,
    finished: bool = True,
) -> tuple[list[LogLine], int]:
    """All of its lines, page by page, and how many bytes of log were read for them."""
    lines: list[LogLine] = []
    offset, scanned = None, 0
    while True:
        page = read_test_page(
            log,
            index,
            regression_id,
            offset=offset,
            limit=limit,
            order=order,
            filters=filters,
            bounds=bounds,
            finished=finished,
            started_at=STARTED_AT,
        )
        lines += page.lines
        scanned += page.scanned
        if page.next_offset is None:
            return lines, scanned
        assert page.next_offset != offset, "a page that gets nowhere"
        offset = page.next_offset


@settings(max_examples=150, deadline=None)
@given(
    appends=st.lists(st.lists(LINES | LONG, min_size=1, max_size=8), max_size=8),
    harm=st.sampled_from(["none", "lost", "torn", "behind", "empty", "broken-off line"]),
    cut=st.integers(1, 60),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 5),
    bounds=BOUNDS,
    finished=st.booleans(),
    regression_id=st.sampled_from([1, 3, 33, 2**31 - 1]),
    level=st.none() | st.sampled_from(list(Level)),
)
def test_a_tests_lines_are_all_there_whatever_happened_to_the_index(
    tmp_path_factory: pytest.TempPathFactory,
    appends: list[list[bytes]],
    harm: str,
    cut: int,
    order: Order,
    limit: int,
    bounds: Bounds,
    finished: bool,
    regression_id: int,
    level: Level | None,
) -> None:
    path = tmp_path_factory.mktemp("log") / "5.txt"
    offset = settle(path)
    for count, lines in enumerate(appends):
        data = b"".join(line + b"\n" for line in lines)
        if count == len(appends) // 2:
            if harm == "lost":
                path_of(path).unlink(missing_ok=True)
            if harm == "torn" and path_of(path).exists():
                kept = path_of(path).read_bytes()
                path_of(path).write_bytes(kept[: max(0, len(kept) - cut)])
            if harm == "broken-off line":
                with path.open("ab") as file:
                    file.write(data[:cut])
                rest = data[min(cut, len(data)) :]
                offset, data = offset + len(data) - len(rest), rest
                if not data:
                    continue
            if harm == "behind":
                with path.open("ab") as file:
                    file.write(data)
                offset += len(data)
                continue
        offset = append(path, offset, data).offset
    whole = path.read_bytes() if path.exists() else b""
    index = path_of(path).read_bytes() if path_of(path).exists() else b""

    lines_read, _ = read_test(
        MemoryLog(whole),
        MemoryLog(b"" if harm == "empty" else index),
        regression_id,
        order=order,
        limit=limit,
        filters=Filters(level=level),
        bounds=bounds,
        finished=finished,
    )

    asked = Filters(level=level, regression_id=regression_id)
    expected = told(all_lines(whole, asked, finished=finished))
    assert told(lines_read) == (expected if order == "asc" else expected[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_tests_lines_are_read_without_reading_the_others(tmp_path: Path, order: Order) -> None:
    path = tmp_path / "5.txt"
    offset = 0
    for regression_id in (1, 2, 3, 4, 3, 5):
        line = structured(TIME, "info", "test_runner", regression_id, "x" * 60) + b"\n"
        offset = append(path, offset, line * 3000).offset

    with FileLog.open(path) as log, FileLog.open(path_of(path)) as index:
        lines, scanned = read_test(log, index, 3, order=order, limit=10**6)

    assert len(lines) == 6000
    assert {line.regression_id for line in lines} == {3}
    assert scanned < 1.1 * offset / 3


def test_tests_that_run_side_by_side_have_a_small_index(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    turn = b"".join(
        structured(TIME, "info", "test_runner", regression_id, "x" * 50) + b"\n"
        for regression_id in range(1, 9)
    )

    append(path, 0, turn * 1000)

    assert path_of(path).stat().st_size < len(turn * 1000) / 1000


def test_a_test_without_lines_has_an_empty_page(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    append(path, 0, structured(TIME, "info", "test_runner", 3, "x") + b"\n")

    with FileLog.open(path) as log, FileLog.open(path_of(path)) as index:
        assert read_test(log, index, 4) == ([], 0)


def test_an_index_that_is_ahead_of_its_log_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    line = structured(TIME, "info", "test_runner", 3, "x") + b"\n"
    append(path, 0, line * 10)
    path.write_bytes(line * 2)

    append(path, len(line) * 2, line)

    with FileLog.open(path) as log, FileLog.open(path_of(path)) as index:
        assert len(read_test(log, index, 3)[0]) == 3
