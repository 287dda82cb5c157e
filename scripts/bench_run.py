"""What `GET /runs/{id}` costs above a bare Flask route: on SQLite at most 6 ms of server time.

Both are measured in one run, alternating, in this process and through gunicorn, on a private
database with `--tests` results in the run. Prints the medians and their difference, and exits
with 1 when the bound is broken in this process.
"""

import argparse
import contextlib
import logging
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flask_migrate
import requests
import structlog
from flask import Flask

from config import ROOT, Settings
from database import db
from run import create_app
from tests import factories
from tests.servers import free_port

BOUND_MS = 6.0
WARM_UP = 30
SECRET = "only-for-measuring-0123456789abcdefghijklmnop"  # noqa: S105  of a database that is thrown away
BARE = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef bare():\n    return {}\n"


def main() -> int:
    """Measure; 0 when the bound is kept."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=300, help="requests of each kind")
    arguments.add_argument("--tests", type=int, default=20, help="regression tests in the run")
    arguments.add_argument("--profile", action="store_true", help="say where the time goes")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-run-") as name:
        folder = Path(name)
        app = prepared(folder)
        path, headers = run_with_results(app, options.tests)
        if options.profile:
            profile(app, path, headers)
        kept = in_process(app, path, headers, options.rounds)
        through_gunicorn(folder, path, headers, options.rounds)
        with app.app_context():
            db.engine.dispose()
    return 0 if kept else 1


def prepared(folder: Path) -> Flask:
    """The application on an empty database, silent, without limits."""
    settings = Settings(
        database_url=f"sqlite:///{folder / 'platform.sqlite'}",
        sample_repository=folder / "repository",
        secret_key=SECRET,
        rate_limit_read="1000000/minute",
    )
    app = create_app(settings)
    structlog.configure(
        logger_factory=structlog.WriteLoggerFactory(file=(folder / "log").open("w"))
    )
    logging.disable()
    with app.app_context():
        flask_migrate.upgrade()
        factories.bind(db.engine)
    return app


def run_with_results(app: Flask, count: int) -> tuple[str, dict[str, str]]:
    """An ended run among others: its path, and the headers of who may read it."""
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


def through_gunicorn(folder: Path, path: str, headers: dict[str, str], rounds: int) -> None:
    (folder / "bare.py").write_text(BARE)
    ours = {
        "DATABASE_URL": f"sqlite:///{folder / 'platform.sqlite'}",
        "SAMPLE_REPOSITORY": str(folder / "repository"),
        "SECRET_KEY": SECRET,
        "RATE_LIMIT_READ": "1000000/minute",
    }
    with (
        served(["bare:app", "--config", "none.py"], folder, {}) as plain,
        served(["run:create_app()"], ROOT, ours) as full,
        requests.Session() as session,
    ):
        cost = difference(
            lambda: session.get(plain, timeout=10).raise_for_status(),
            lambda: session.get(full + path, headers=headers, timeout=10).raise_for_status(),
            rounds,
        )
    told("through gunicorn", *cost)


@contextlib.contextmanager
def served(command: list[str], folder: Path, settings: dict[str, str]) -> Iterator[str]:
    port = free_port()
    if "--config" in command:
        (folder / "none.py").write_text("worker_class = 'gthread'\nthreads = 4\n")
        command = [*command, "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *command],
        cwd=folder,
        env={**os.environ, "FLASK_SKIP_DOTENV": "1", **settings, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(address, timeout=5)
                break
            time.sleep(0.05)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


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


if __name__ == "__main__":
    sys.exit(main())
