"""The memory of each web process before and after many mixed requests.

Every line of `measure` in turn, over connections that are renewed so that both processes answer.
Resident memory is read after a warm-up and at the end. Exit status 1: a process grew by more than
a tenth.
"""

import argparse
import contextlib
import random
from dataclasses import asdict

from bench import make
from bench.measure import HEADERS
from bench.operations import LINES
from bench.options import at_least
from bench.places import add_options, places
from bench.serving import API, Server, resident, served
from bench.subjects import subjects
from bench.timing import Asked

MOST_GROWTH = 0.10
RENEWED_AFTER = 20  # requests of one connection
MIB = 1024 * 1024


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("--requests", type=at_least(1), default=20_000)
    parser.add_argument("--warm-up", type=at_least(0), default=2_000)


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept."""
    with places(asked, asked.size) as (place,), contextlib.ExitStack() as stack:
        make.made(place)
        values = asdict(subjects(place.size))
        urls = [line.url(values) for line in LINES if not line.deep]
        random.Random(1).shuffle(urls)  # noqa: S311  the same order each time
        server = stack.enter_context(served(API, place.environment))
        ask(server, urls, asked.warm_up)
        workers = server.workers()
        before = [resident(worker) for worker in workers]
        ask(server, urls, asked.requests)
        after = [resident(worker) for worker in workers]
    print(f"{asked.requests} requests after a warm-up of {asked.warm_up}:")
    for worker, first, last in zip(workers, before, after, strict=True):
        print(
            f"  process {worker.pid}: {first / MIB:.1f} MiB, then {last / MIB:.1f} MiB "
            f"({(last - first) / MIB:+.1f})"
        )
    kept = all(last <= first * (1 + MOST_GROWTH) for first, last in zip(before, after, strict=True))
    print("flat" if kept else f"GREW by more than {MOST_GROWTH:.0%}")
    return 0 if kept else 1


def ask(server: Server, urls: list[str], count: int) -> None:
    """So many requests, one after the other."""
    connection = server.connect()
    for number in range(count):
        if number % RENEWED_AFTER == 0:
            connection.close()
            connection = server.connect()
        Asked(connection, urls[number % len(urls)], HEADERS).once()
    connection.close()
