"""Requests a second of `GET /runs?limit=50` with several clients, beside the raw query's.

The reference checks the token, sends one query and its total, and dumps JSON. Both are asked in
turn, several times; each client is a process with a connection that is kept. Exit status 1: the
API has less than a third of the reference.
"""

import argparse
import contextlib
import multiprocessing
import statistics
import time
from typing import Any

from bench import make
from bench.measure import HEADERS
from bench.options import at_least
from bench.places import add_options, places
from bench.serving import API, BARE, Server, served
from bench.timing import Asked

LEAST = 1 / 3
RUNS = "/api/v1/runs?limit=50"
REFERENCE = "/reference?reference=Runs.list_runs&limit=50&offset=0"


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("--clients", type=at_least(1), default=8)
    parser.add_argument("--turns", type=at_least(1), default=5, help="of each")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept."""
    with (
        places(asked, asked.size) as (place,),
        contextlib.ExitStack() as stack,
    ):
        make.made(place)
        beside = stack.enter_context(served(BARE, place.environment))
        api = stack.enter_context(served(API, place.environment))
        rates: dict[str, list[float]] = {REFERENCE: [], RUNS: []}
        for turn in range(asked.turns + 1):
            for server, url in ((beside, REFERENCE), (api, RUNS)):
                rate = per_second(server, url, asked.clients, asked.seconds)
                if turn:  # the first one fills caches
                    rates[url].append(rate)
                    print(f"{rate:8.1f} requests/s  {url}", flush=True)
    reference, ours = (statistics.median(rates[url]) for url in (REFERENCE, RUNS))
    kept = ours >= LEAST * reference
    print(
        f"{asked.clients} clients: reference {reference:.1f}, API {ours:.1f} requests/s, ratio "
        f"{ours / reference:.2f} ({'at least' if kept else 'LESS THAN'} {LEAST:.2f})"
    )
    return 0 if kept else 1


def per_second(server: Server, url: str, clients: int, seconds: float) -> float:
    """Return how many requests a second so many clients get answered."""
    context = multiprocessing.get_context("fork")
    answered = context.Queue()
    started = context.Barrier(clients)
    processes = [
        context.Process(target=_client, args=(server, url, seconds, started, answered))
        for _ in range(clients)
    ]
    for process in processes:
        process.start()
    counts: list[int] = [answered.get() for _ in processes]
    for process in processes:
        process.join()
    if -1 in counts:
        raise RuntimeError(f"{url} was not answered")
    return sum(counts) / seconds


def _client(server: Server, url: str, seconds: float, started: Any, answered: Any) -> None:
    count = -1
    with contextlib.suppress(Exception):
        asked = Asked(server.connect(), url, HEADERS)
        asked.once()
        started.wait(30)
        until, done = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            asked.once()
            done += 1
        count = done
    answered.put(count)
