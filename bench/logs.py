"""What reading a large log costs: pages anywhere, searching, filters, memory, followers.

Writes a log of `--lines` lines to a temporary folder, measures, and prints each figure
with the bound it must keep. Exits with 1 when a bound is broken.
"""

import argparse
import functools
import random
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.options import at_least
from mod_test.logs.append import append
from mod_test.logs.filters import Filters
from mod_test.logs.follow import Tailer, next_batch
from mod_test.logs.index import path_of, read_test_page
from mod_test.logs.legacy_line_levels import Level, Source
from mod_test.logs.pages import Order, Page, read_page
from mod_test.logs.source import FileLog

STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)
MEGABYTE = 1_000_000
PAGE_RATIO, SCAN_RATIO, FILTER_SPEED, MEMORY_MIB, FOLLOWER_KB = 1.5, 0.5, 50, 16, 60


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lines", type=at_least(1), default=200_000, help="how long the log is")


def main(asked: argparse.Namespace) -> int:
    """Run all measurements; 0 when every bound is kept."""
    lines: int = asked.lines
    with tempfile.TemporaryDirectory(prefix="bench-logs-") as folder:
        path = Path(folder) / "1.txt"
        write_log(path, lines)
        size = path.stat().st_size
        print(f"{lines} lines, {size / MEGABYTE:.0f} MB")
        with FileLog.open(path) as log:
            # Memory first: what Python's own search takes in would hide our growth.
            kept = [memory(log), pages(log, "asc"), pages(log, "desc")]
            kept += [test_pages(path, log), filtered(log), searched(path, log)]
        kept += [followed(path), appended(Path(folder) / "2.txt")]
    return 0 if all(kept) else 1


def write_log(path: Path, lines: int) -> None:
    """A log as our runner writes it, of about 100 bytes a line."""
    dice = random.Random(1)  # noqa: S311 - the same log each time
    levels = ["debug", *["info"] * 8, "warning"]
    block = b"".join(
        f"2026-01-01T00:{n // 600 % 60:02}:{n // 10 % 60:02}.{n % 1000:03}Z {dice.choice(levels)}"
        f" test_runner #{n // 500 % 14 + 1} | 00:00:{n % 60:02},000 --> a line of captions,"
        f" {dice.getrandbits(64):016x}\n".encode()
        for n in range(20_000)
    )
    ends = [at for at, byte in enumerate(block) if byte == ord("\n")]
    with path.open("wb") as file:
        for left in range(lines, 0, -len(ends)):
            file.write(block if left >= len(ends) else block[: ends[left - 1] + 1])


def memory(log: FileLog) -> bool:
    """Return how much resident memory reading the whole log by filters adds."""
    read_page(log, limit=100, finished=True, started_at=STARTED_AT)
    # Forgets the peak of what came before (Linux).
    Path("/proc/self/clear_refs").write_text("5")
    before = status_kib("VmRSS")
    for order in ("asc", "desc"):
        for filters in (Filters(contains="Zebra"), Filters(level=Level.CRITICAL)):
            scan(log, filters, order)
    grown = (status_kib("VmHWM") - before) / 1024
    return told("resident memory grows by", grown, "MiB", grown <= MEMORY_MIB)


def status_kib(field: str) -> int:
    """A figure of this process, in KiB: VmRSS is its memory now, VmHWM the most it had."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise ValueError(field)


def pages(log: FileLog, order: Order) -> bool:
    """The slowest page anywhere against the first page."""
    size = log.size()

    def page(offset: int) -> Callable[[], Page]:
        return lambda: read_page(
            log, offset=offset, limit=100, order=order, finished=True, started_at=STARTED_AT
        )

    at_first = 0 if order == "asc" else size
    places = [size * part // 1000 for part in (1, 10, 100, 250, 500, 750, 900, 990, 998)]
    ratio = slowest_ratio(page(at_first), [page(place) for place in places])
    return told(f"a page anywhere ({order}) costs", ratio, "times the first", ratio <= PAGE_RATIO)


def test_pages(path: Path, log: FileLog) -> bool:
    """One test's page anywhere against its first page, by the index."""
    append(path, log.size(), b"2026-01-01T00:00:00.000Z info worker | the end\n", limit_bytes=2**40)
    size = log.size()
    with FileLog.open(path_of(path)) as index:

        def page(offset: int) -> Callable[[], Page]:
            return lambda: read_test_page(
                log, index, 7, offset=offset, limit=100, finished=True, started_at=STARTED_AT
            )

        places = [size * part // 1000 for part in (10, 250, 500, 750, 990)]
        ratio = slowest_ratio(page(0), [page(place) for place in places])
    return told("a test's page anywhere costs", ratio, "times the first", ratio <= PAGE_RATIO)


def filtered(log: FileLog) -> bool:
    """How fast level and source filters scan when nothing is found."""
    asked = {
        "level=critical": Filters(level=Level.CRITICAL),
        "source=web": Filters(source=Source.WEB),
        "level=info, source=build": Filters(level=Level.INFO, source=Source.BUILD),
        "regression_id=99": Filters(regression_id=99),
    }
    kept = []
    for name, filters in asked.items():
        speed = log.size() / MEGABYTE / seconds(functools.partial(scan, log, filters))
        kept.append(told(f"{name} scans", speed, "MB/s", speed >= FILTER_SPEED))
    return all(kept)


def searched(path: Path, log: FileLog) -> bool:
    """How fast `contains` scans, against Python's own lower and find over the same file."""
    ours = min(seconds(lambda: scan(log, Filters(contains="Zebra"))) for _ in range(3))
    whole = min(seconds(lambda: path.read_bytes().lower().find(b"zebra")) for _ in range(3))
    data = path.read_bytes()
    in_memory = min(seconds(lambda: data.lower().find(b"zebra")) for _ in range(3))
    speed = log.size() / MEGABYTE / ours
    told("contains scans", speed, "MB/s", kept=True)
    told("  against read, lower and find", whole / ours, "times as fast", kept=True)
    ratio = in_memory / ours
    return told("  against lower and find", ratio, "times as fast", ratio >= SCAN_RATIO)


def followed(path: Path) -> bool:
    """What a follower holds on to, and what a batch costs when nothing is new."""
    tailer = Tailer(path)
    tailer.refresh()
    size = tailer.size()
    tracemalloc.start()
    batches = [
        next_batch(tailer, size // 2 + at, started_at=STARTED_AT, finished=False)
        for at in range(100)
    ]
    held = tracemalloc.get_traced_memory()[0] / len(batches) / 1000
    tracemalloc.stop()
    idle = seconds(
        lambda: [
            next_batch(tailer, size, started_at=STARTED_AT, finished=False) for _ in range(1000)
        ]
    )
    tailer.close()
    told("an idle look at the log takes", idle * 1000, "µs", kept=True)
    return told("a follower's full batch holds", held, "kB", held <= FOLLOWER_KB)


def appended(path: Path) -> bool:
    """How fast appends of 64 KiB go, the index with them."""
    line = b"2026-01-01T00:00:00.000Z info test_runner #3 | " + b"x" * 52 + b"\n"
    data = line * (65536 // len(line))

    def write() -> None:
        offset = 0
        for _ in range(200):
            offset = append(path, offset, data).offset

    speed = 200 * len(data) / MEGABYTE / seconds(write)
    return told("appending takes in", speed, "MB/s", kept=True)


def scan(log: FileLog, filters: Filters, order: Order = "asc") -> int:
    """Read the whole log by pages; how many lines were found."""
    return sum(len(page.lines) for page in all_pages(log, filters, order))


def all_pages(log: FileLog, filters: Filters, order: Order) -> Iterator[Page]:
    """The pages of the whole log, one after the other."""
    offset = None
    while True:
        page = read_page(
            log,
            offset=offset,
            limit=100,
            order=order,
            filters=filters,
            finished=True,
            started_at=STARTED_AT,
        )
        yield page
        if page.next_offset is None:
            return
        offset = page.next_offset


def slowest_ratio(first: Callable[[], Page], others: list[Callable[[], Page]]) -> float:
    """The slowest of the others against the first, medians of rounds that alternate."""
    rounds = 41
    times: list[list[float]] = [[] for _ in range(len(others) + 1)]
    for _ in range(rounds):
        for taken, page in zip(times, [first, *others], strict=True):
            taken.append(seconds(page))
    medians = [statistics.median(taken) for taken in times]
    print(f"    the first page: {medians[0] * 1000:.2f} ms")
    return max(medians[1:]) / medians[0]


def seconds(work: Callable[[], object]) -> float:
    """Return how long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def told(what: str, figure: float, unit: str, kept: bool) -> bool:
    """Print a figure; gives back whether its bound is kept."""
    print(f"{'    ' if kept else 'NO: '}{what} {figure:.2f} {unit}")
    return kept
