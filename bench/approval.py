"""What the first read costs after an approval that concerns thousands of runs, on MariaDB.

As another program approves: what came out most often and is not accepted is accepted in the given
tables, of as many outputs as it takes, then taken back. After each of the two a page of runs is
asked for, twice. Exit status 1: a first read took longer than the bound.
"""

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from typing import Any

from bench import make
from bench.measure import HEADERS
from bench.options import at_least
from bench.places import add_options, places
from bench.queued import connected
from bench.serving import API, served
from bench.timing import Asked, percentile

BOUND_MS = 2000.0
READ = "/api/v1/runs?limit=50"
MOST_FREQUENT = (
    "SELECT f.regression_test_output_id, f.got FROM test_result_file f "
    "JOIN regression_test_output o ON o.id = f.regression_test_output_id "
    "LEFT JOIN regression_test_output_files v ON v.regression_test_output_id = o.id "
    "AND v.file_hashes = f.got "
    "WHERE f.got IS NOT NULL AND f.got <> 'error' AND o.id > 0 AND NOT o.`ignore` "
    "AND v.id IS NULL GROUP BY 1, 2 ORDER BY COUNT(*) DESC, 1, 2"
)
CONCERNED = "SELECT test_id FROM test_result_file WHERE regression_test_output_id = %s AND got = %s"
ACCEPT = (
    "INSERT INTO regression_test_output_files (regression_test_output_id, file_hashes) "
    "VALUES (%s, %s)"
)
TAKE_BACK = (
    "DELETE FROM regression_test_output_files WHERE regression_test_output_id = %s "
    "AND file_hashes = %s"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument(
        "--runs", type=at_least(1), default=5000, help="that it concerns at least (5000)"
    )
    parser.add_argument(
        "--turns", type=at_least(1), default=5, help="of accepting and taking back (5)"
    )


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept."""
    with places(asked, asked.size, only_mariadb=True) as (place,):
        make.made(place)
        with (
            contextlib.closing(connected(place)) as other,
            served(API, place.environment) as api,
            contextlib.closing(api.connect()) as reader,
        ):
            outputs, runs = _most_frequent(other, asked.runs)
            with _undone(other, outputs):
                took = _measured(other, reader, outputs, asked.turns)
    print(f"{len(outputs)} outputs of {runs:,} runs; ms of GET {READ}")
    print(f"{'':22}{'p50':>9}{'most':>9}")
    for what, times in took.items():
        print(f"{what:22}{percentile(times, 0.5):9.1f}{max(times):9.1f}")
    slowest = max(max(times) for what, times in took.items() if what.startswith("first"))
    kept = slowest <= BOUND_MS
    print(
        f"slowest first read: {slowest:.0f} ms ({'within' if kept else 'MORE THAN'} {BOUND_MS:g})"
    )
    return 0 if kept else 1


Outputs = Sequence[tuple[int, str]]  # of each the id, and the SHA-256 that came out


def _most_frequent(other: Any, wanted: int) -> tuple[Outputs, int]:
    """What came out most often, until it concerns so many runs; how many it does."""
    outputs: list[tuple[int, str]] = []
    runs: set[int] = set()
    with other.cursor() as cursor:
        cursor.execute(MOST_FREQUENT)
        for output in cursor.fetchall():
            if len(runs) >= wanted:
                break
            cursor.execute(CONCERNED, output)
            runs.update(run_id for (run_id,) in cursor.fetchall())
            outputs.append(output)
    other.rollback()
    return outputs, len(runs)


@contextlib.contextmanager
def _undone(other: Any, outputs: Outputs) -> Iterator[None]:
    """None of them is accepted in the end, whatever happens."""
    try:
        yield
    finally:
        other.rollback()
        _change(other, TAKE_BACK, outputs)


def _measured(
    other: Any, reader: HTTPConnection, outputs: Outputs, turns: int
) -> dict[str, list[float]]:
    """The ms of the first and the second read after each change."""
    took: dict[str, list[float]] = {}
    read = Asked(reader, READ, HEADERS)
    read.once()
    for _ in range(turns):
        for what, statement in (("accepting", ACCEPT), ("taking back", TAKE_BACK)):
            _change(other, statement, outputs)
            for place in ("first", "second"):
                took.setdefault(f"{place}, after {what}", []).append(read.once())
    return took


def _change(other: Any, statement: str, outputs: Outputs) -> None:
    with other.cursor() as cursor:
        cursor.executemany(statement, outputs)
    other.commit()
