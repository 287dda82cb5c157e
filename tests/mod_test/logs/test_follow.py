"""Following a log while it grows: nothing missed, nothing twice, nobody slowed down."""

import functools
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mod_test.logs.append import append
from mod_test.logs.filters import Filters
from mod_test.logs.follow import RECENT_BYTES, Batch, Tailer, next_batch
from mod_test.logs.lines import LogLine
from mod_test.logs.pages import Bounds
from tests.mod_test.logs.samples import (
    BOUNDS,
    FILTERS,
    LINES,
    STARTED_AT,
    MemoryLog,
    all_lines,
    told,
)


@settings(max_examples=150, deadline=None)
@given(
    lines=st.lists(LINES, min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 200), min_size=1, max_size=30),
    cut_after=st.integers(1, 5),
    recent=st.integers(1, 300),
    filters=FILTERS,
    bounds=BOUNDS,
)
def test_a_follower_cut_off_again_and_again_has_each_line_once(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    cuts: list[int],
    cut_after: int,
    recent: int,
    filters: Filters,
    bounds: Bounds,
) -> None:
    whole = b"".join(line + b"\n" for line in lines)[:-1]
    log = GrowingFile(tmp_path_factory.mktemp("log") / "5.txt", whole, cuts)
    got: list[LogLine] = []
    offset = 0
    for connection in range(12):
        tailer = Tailer(log.path, recent_bytes=recent)
        read = functools.partial(
            next_batch, tailer, started_at=STARTED_AT, filters=filters, limit=3, bounds=bounds
        )
        batches = followed(read, offset, log, tailer)
        # The last connection is not cut.
        for batch in itertools.islice(batches, cut_after if connection < 11 else None):
            got += batch.lines
            offset = batch.offset
        tailer.close()
        log.grow()

    assert log.path.read_bytes() == whole
    assert told(got) == told(all_lines(whole, filters, finished=True))


def followed(
    read: Callable[..., Batch], offset: int, log: "GrowingFile", tailer: Tailer
) -> Iterator[Batch]:
    """What one connection is told until the log is whole and read to its end."""
    while True:
        # Asked before reading: what was appended until then is still read.
        finished = log.is_whole()
        batch = read(offset, finished=finished)
        offset = batch.offset
        yield batch
        if batch.at_end and finished:
            return
        if batch.at_end:
            log.grow()
            tailer.refresh()


class GrowingFile:
    """A log that grows by pieces cut anywhere, in the middle of lines and of characters."""

    def __init__(self, path: Path, whole: bytes, cuts: list[int]) -> None:
        self.path = path
        self.left = whole
        self.cuts = itertools.cycle(cuts)

    def is_whole(self) -> bool:
        return not self.left

    def grow(self) -> None:
        size = next(self.cuts)
        with self.path.open("ab") as file:
            file.write(self.left[:size])
        self.left = self.left[size:]


def test_a_slow_follower_holds_an_offset_and_not_what_it_has_not_read(tmp_path: Path) -> None:
    path = tmp_path / "5.txt"
    line = b"x" * 99 + b"\n"
    append(path, 0, line * 50_000)
    tailer = Tailer(path)
    tailer.refresh()

    batch = next_batch(tailer, 0, started_at=STARTED_AT, finished=False)

    assert 0 < sum(len(shown.message) for shown in batch.lines) <= 13_000
    assert not batch.at_end
    assert len(tailer.read(5_000_000 - RECENT_BYTES, RECENT_BYTES)) == RECENT_BYTES
    tailer.close()


def test_a_log_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "LogFiles" / "5.txt"
    tailer = Tailer(path)

    before = next_batch(tailer, 0, started_at=STARTED_AT, finished=False)
    append(path, 0, b"one\n")
    tailer.refresh()
    after = next_batch(tailer, before.offset, started_at=STARTED_AT, finished=False)

    assert (before.lines, before.at_end) == ([], True)
    assert [line.message for line in after.lines] == ["one"]
    tailer.close()


@pytest.mark.parametrize("more", [b"two\n", b"x" * RECENT_BYTES + b"\n", b"x" * 3 * RECENT_BYTES])
def test_a_tailer_reads_what_the_file_holds(tmp_path: Path, more: bytes) -> None:
    path = tmp_path / "5.txt"
    path.write_bytes(b"one\n")
    tailer = Tailer(path)
    tailer.refresh()
    with path.open("ab") as file:
        file.write(more)
    tailer.refresh()

    whole = path.read_bytes()
    read: Callable[[int, int], bytes] = tailer.read
    for offset in {0, 3, 4, max(0, len(whole) - RECENT_BYTES), len(whole) - 2, len(whole)}:
        assert read(offset, 10) == whole[offset : offset + 10]

    assert tailer.size() == len(whole)
    tailer.close()


def test_the_file_of_a_follower_is_read_to_its_very_end(tmp_path: Path) -> None:
    log = MemoryLog(b"one\ntwo without its newline")

    first = next_batch(log, 0, started_at=STARTED_AT, finished=True, limit=1)
    second = next_batch(log, first.offset, started_at=STARTED_AT, finished=True, limit=1)

    messages = [line.message for batch in (first, second) for line in batch.lines]
    assert messages == ["one", "two without its newline"]
    assert second.at_end
