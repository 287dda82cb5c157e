"""Pages of a log: each line exactly once, whatever the limits, orders and filters."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_test.logs.filters import Filters
from mod_test.logs.legacy_line_levels import Level
from mod_test.logs.line_context import LOOK_BACK_BYTES
from mod_test.logs.lines import LINE_BYTES, LogLine
from mod_test.logs.pages import DEFAULT_BOUNDS, Bounds, Order, read_page, read_tail
from mod_test.logs.source import LogSource
from tests.mod_test.logs.samples import (
    BOUNDS,
    FILTERS,
    LINES,
    LOGS,
    LONG,
    STARTED_AT,
    MemoryLog,
    all_lines,
    structured,
    told,
)

EVERYTHING = Filters()


def read_all(
    log: LogSource,
    *,
    order: Order = "asc",
    limit: int = 100,
    filters: Filters = EVERYTHING,
    bounds: Bounds = DEFAULT_BOUNDS,
    finished: bool = True,
) -> list[LogLine]:
    lines: list[LogLine] = []
    offset = None
    while True:
        page = read_page(
            log,
            offset=offset,
            limit=limit,
            order=order,
            filters=filters,
            bounds=bounds,
            finished=finished,
            started_at=STARTED_AT,
        )
        assert len(page.lines) <= limit
        lines += page.lines
        if page.next_offset is None:
            assert page.end_reached
            return lines
        assert page.next_offset != offset, "a page that gets nowhere"
        offset = page.next_offset


@settings(max_examples=300, deadline=None)
@given(
    data=LOGS,
    torn=st.booleans(),
    finished=st.booleans(),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 7),
    filters=FILTERS,
    bounds=BOUNDS,
)
def test_pages_of_any_size_show_each_asked_line_once(
    data: bytes,
    torn: bool,
    finished: bool,
    order: Order,
    limit: int,
    filters: Filters,
    bounds: Bounds,
) -> None:
    data = data[:-1] if torn else data

    lines = read_all(
        MemoryLog(data),
        order=order,
        limit=limit,
        filters=filters,
        bounds=bounds,
        finished=finished,
    )

    expected = told(all_lines(data, filters, finished=finished))
    assert told(lines) == (expected if order == "asc" else expected[::-1])


@settings(max_examples=60, deadline=None)
@given(
    raw_lines=st.lists(LINES | LONG, max_size=12),
    torn=st.booleans(),
    finished=st.booleans(),
    order=st.sampled_from(["asc", "desc"]),
    limit=st.integers(1, 7),
    filters=FILTERS,
    block=st.integers(500, 100_000),
)
def test_very_long_lines_are_lines_like_any_other(
    raw_lines: list[bytes],
    torn: bool,
    finished: bool,
    order: Order,
    limit: int,
    filters: Filters,
    block: int,
) -> None:
    data = b"".join(line + b"\n" for line in raw_lines)
    data = data[:-1] if torn else data
    bounds = Bounds(scan_bytes=block * 2, seconds=60, first_block=block, block=block * 2)

    lines = read_all(
        MemoryLog(data), order=order, limit=limit, filters=filters, bounds=bounds, finished=finished
    )

    expected = told(all_lines(data, filters, finished=finished))
    assert told(lines) == (expected if order == "asc" else expected[::-1])


@settings(max_examples=150, deadline=None)
@given(data=LOGS, offset=st.integers(0, 3000), limit=st.integers(1, 5), bounds=BOUNDS)
def test_any_offset_divides_the_log_into_what_is_before_and_after(
    data: bytes, offset: int, limit: int, bounds: Bounds
) -> None:
    log = MemoryLog(data)
    offset = min(offset, len(data))

    after = read_page(log, offset=offset, limit=10**6, finished=True, started_at=STARTED_AT)
    before = read_page(
        log, offset=offset, limit=10**6, order="desc", finished=True, started_at=STARTED_AT
    )

    assert told(before.lines[::-1] + after.lines) == told(
        all_lines(data, EVERYTHING, finished=True)
    )


@settings(max_examples=100, deadline=None)
@given(data=LOGS, torn=st.booleans(), count=st.integers(1, 10), filters=FILTERS, more=LOGS)
def test_a_tail_is_the_last_lines_and_reading_on_gives_the_next_ones(
    data: bytes, torn: bool, count: int, filters: Filters, more: bytes
) -> None:
    data = data[:-1] if torn else data
    log = MemoryLog(data)

    tail = read_tail(log, count, started_at=STARTED_AT, finished=False, filters=filters)
    log.data += more
    following = read_page(
        log,
        offset=tail.position,
        limit=10**6,
        started_at=STARTED_AT,
        finished=True,
        filters=filters,
    )

    shown = all_lines(data, filters, finished=False)
    assert told(tail.lines) == told(shown[-count:])
    assert told(shown + following.lines) == told(all_lines(log.data, filters, finished=True))


def test_an_unfinished_last_line_waits_for_its_end() -> None:
    log = MemoryLog(b"whole\nhal")

    first = read_page(log, limit=10, finished=False, started_at=STARTED_AT)
    log.data += b"f\n"
    second = read_page(log, offset=first.position, limit=10, finished=False, started_at=STARTED_AT)

    assert [line.message for line in first.lines] == ["whole"]
    assert first.next_offset is None
    assert [line.message for line in second.lines] == ["half"]


def test_a_rare_filter_gives_a_short_page_and_an_offset_to_go_on() -> None:
    log = MemoryLog(b"nothing\n" * 10_000 + b"needle\n")
    bounds = Bounds(scan_bytes=1000, first_block=500, block=500)

    page = read_page(
        log,
        limit=10,
        finished=True,
        started_at=STARTED_AT,
        filters=Filters(contains="NEEDLE"),
        bounds=bounds,
    )

    assert page.lines == []
    assert page.next_offset is not None
    assert 0 < page.next_offset <= page.scanned <= 1500


def test_time_is_bounded_also_in_a_log_of_empty_lines() -> None:
    log = MemoryLog(b"\n" * 1_000_000)

    for order in ("asc", "desc"):
        page = read_page(
            log,
            limit=10,
            order=order,
            finished=True,
            started_at=STARTED_AT,
            filters=Filters(regression_id=None, contains=None, level=Level.ERROR),
            bounds=Bounds(seconds=0.0),
        )

        assert page.lines == []
        assert page.next_offset is not None
        assert page.scanned < 200_000


def test_a_line_without_a_time_has_that_of_the_line_before_on_every_page() -> None:
    log = MemoryLog(b"2024-05-06 07:08:09 first\n" + b"second\nthird\n" + b"x\n" * 50)
    time = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

    for offset in (26, 33, 45):
        page = read_page(log, offset=offset, limit=1, finished=True, started_at=STARTED_AT)

        assert page.lines[0].timestamp == time


def test_a_time_is_inherited_over_a_bounded_distance() -> None:
    log = MemoryLog(b"2024-05-06 07:08:09 first\n" + b"x" * LOOK_BACK_BYTES + b"\nlast\n")

    lines = read_all(log)

    assert lines[1].timestamp == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert lines[2].timestamp == STARTED_AT


def test_a_time_is_the_same_however_far_back_the_page_began() -> None:
    log = MemoryLog(b"2024-05-06 07:08:09 first\n" + b"undated\n" * (LOOK_BACK_BYTES // 4))

    times = {line.offset: line.timestamp for line in read_all(log, limit=10**6)}

    assert set(times.values()) == {datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), STARTED_AT}
    for order in ("asc", "desc"):
        assert {line.offset: line.timestamp for line in read_all(log, order=order)} == times


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("size", [LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, 5 * LINE_BYTES])
def test_a_very_long_last_line_is_shown_before_its_end_has_come(size: int, order: Order) -> None:
    log = MemoryLog(b"first\n" + b"x" * size)

    lines = read_all(log, order=order, finished=False)

    assert sorted(line.offset for line in lines) == ([0, 6] if size >= LINE_BYTES else [0])


def test_a_page_that_may_read_one_byte_gets_past_it_in_a_line_that_goes_on() -> None:
    log = MemoryLog(b"a line that goes on\nanother\n")
    least = Bounds(scan_bytes=1, seconds=60.0, page_bytes=1, first_block=1, block=1)

    page = read_page(log, offset=3, limit=1, bounds=least, finished=True, started_at=STARTED_AT)

    assert (page.lines, page.next_offset) == ([], 4)


def test_a_replaced_byte_is_found_as_what_is_shown_for_it() -> None:
    log = MemoryLog(b"good\n\xffbad\n")

    assert [line.offset for line in read_all(log, filters=Filters(contains="\ufffdB"))] == [5]


def test_a_line_of_a_gigabyte_costs_bounded_reads() -> None:
    log = MemoryLog(b"first\n" + b"x" * 5_000_000 + b"\nlast\n")
    bounds = Bounds(scan_bytes=300_000)

    for order in ("asc", "desc"):
        lines = read_all(log, order=order, bounds=bounds)

        messages = [line.message[:5] for line in lines]
        assert messages == (
            ["first", "xxxxx", "last"] if order == "asc" else ["last", "xxxxx", "first"]
        )
        assert [len(line.message) for line in lines if line.message[0] == "x"] == [4000]
    assert log.most_read <= bounds.block + LINE_BYTES


def test_what_follows_a_page_costs_the_same_anywhere_in_the_log() -> None:
    line = structured("2026-01-01T00:00:00.000Z", "info", "worker", None, "x" * 40) + b"\n"
    log = MemoryLog(line * 100_000)

    costs = {
        read_page(
            log, offset=at * len(line), limit=100, finished=True, started_at=STARTED_AT
        ).scanned
        for at in (0, 1, 500, 50_000, 99_000)
    }

    assert max(costs) <= 2 * min(costs)


def test_scanning_a_large_log_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "1.txt"
    line = structured("2026-01-01T00:00:00.000Z", "info", "worker", 7, "x" * 50) + b"\n"
    with path.open("wb") as file:
        for _ in range(60):
            file.write(line * 10_000)
    # In a process of its own: its peak so far is what it has.
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from mod_test.logs.filters import Filters\n"
        "from mod_test.logs.legacy_line_levels import Level\n"
        "from mod_test.logs.source import FileLog\n"
        "from tests.mod_test.logs.test_pages import read_all\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "with FileLog.open(Path(sys.argv[1])) as log:\n"
        "    for filters in (Filters(contains='zebra'), Filters(level=Level.ERROR)):\n"
        "        for order in ('asc', 'desc'):\n"
        "            assert read_all(log, order=order, filters=filters) == []\n"
        "print(peak() - before)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) < 16 * 1024


@pytest.mark.parametrize("contains", ["größe", "GRÖßE", "GRöße"])
def test_contains_folds_ascii_letters_only(contains: str) -> None:
    log = MemoryLog("die Größe\n".encode())

    found = read_all(log, filters=Filters(contains=contains))

    assert bool(found) == ("ö" in contains)
