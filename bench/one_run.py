"""What `GET /runs/{id}` costs above a bare Flask route: on SQLite at most 6 ms of server time.

Both are measured in one run, alternating, in this process and through gunicorn, on a private
database with `--tests` results in the run. Prints the medians and their difference, and exits
with 1 when the bound is broken in this process.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from bench.options import at_least
from bench.places import environment_of
from bench.serving import API, BARE, quiet, served
from bench.timing import Asked
from config import Settings
from database import db, migrating
from run import create_app
from tests import factories

BOUND_MS = 6.0
WARM_UP = 30


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=at_least(1), default=300, help="requests of each kind")
    parser.add_argument("--tests", type=at_least(1), default=20, help="regression tests in the run")
    parser.add_argument("--profile", action="store_true", help="say where the time goes")


def main(options: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept."""
    with tempfile.TemporaryDirectory(prefix="bench-run-") as name:
        folder = Path(name)
        environment = environment_of(
            f"sqlite:///{folder / 'platform.sqlite'}", folder / "repository"
        )
        # A limit that nobody reaches costs what one costs that somebody may.
        limited = {**environment, "RATE_LIMIT_READ": "1000000/minute"}
        app = create_app(Settings.from_environment(dict(limited)))
        with quiet():
            path, headers = run_with_results(app, options.tests)
            if options.profile:
                profile(app, path, headers)
            kept = in_process(app, path, headers, options.rounds)
            through_gunicorn(environment, path, headers, options.rounds)
            with app.app_context():
                db.engine.dispose()
    return 0 if kept else 1


def run_with_results(app: Flask, count: int) -> tuple[str, dict[str, str]]:
    """An ended run among others: its path, and the headers of who may read it."""
    with app.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
    tests = [factories.regression_test() for _ in range(count)]
    for _ in range(20):
        run = factories.run(tests=tests, progress=["preparation", "testing", "completed"])
        for test in tests:
            factories.result(run, test)
    return f"/api/v1/runs/{run.id}", factories.signed_in("user", "runs:read")


def in_process(app: Flask, path: str, headers: dict[str, str], rounds: int) -> bool:
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=dict)
    plain, full = bare.test_client(), app.test_client()

    def ask() -> None:
        with full.get(path, headers=headers) as response:  # its end is when marks are settled
            if response.status_code != 200:
                raise RuntimeError(path)

    # Of this process only: what else the machine does is no cost of ours.
    cost = difference(lambda: plain.get("/"), ask, rounds, clock=time.process_time)
    return told("in this process", *cost)


def through_gunicorn(
    environment: dict[str, str], path: str, headers: dict[str, str], rounds: int
) -> None:
    with served(BARE, environment) as bare, served(API, environment) as api:
        plain, full = Asked(bare.connect(), "/bare", {}), Asked(api.connect(), path, headers)
        cost = difference(plain.once, full.once, rounds)
    told("through gunicorn", *cost)


def difference(
    bare: Callable[[], Any],
    full: Callable[[], Any],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """The medians of both in ms, measured in turns so that what disturbs disturbs both."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + WARM_UP):
        for times, ask in zip(took, (bare, full), strict=True):
            began = clock()
            ask()
            if turn >= WARM_UP:
                times.append((clock() - began) * 1000)
    return statistics.median(took[0]), statistics.median(took[1])


def told(where: str, bare: float, full: float) -> bool:
    kept = full - bare <= BOUND_MS
    print(
        f"{where}: bare route {bare:.2f} ms, GET /runs/{{id}} {full:.2f} ms, "
        f"difference {full - bare:.2f} ms ({'within' if kept else 'MORE THAN'} {BOUND_MS:g} ms)"
    )
    return kept


def profile(app: Flask, path: str, headers: dict[str, str]) -> None:
    import cProfile
    import pstats

    client = app.test_client()
    for _ in range(WARM_UP):
        client.get(path, headers=headers)
    with cProfile.Profile() as profiler:
        for _ in range(200):
            client.get(path, headers=headers)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
