"""What measuring costs a request: the same requests with and without it, by turns, in one run.

On SQLite, with counters in files in memory as in production. For each request the processor's time
(lower quartile: other programs only ever add) with and without, their difference and their ratio.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import metrics_files
from bench.options import at_least
from bench.places import environment_of

RECORDERS = ("request_answered", "statements_done", "transaction_ended", "storage_done")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=at_least(10), default=1000, help="requests of each kind")


def main(asked: argparse.Namespace) -> int:
    """Measure; always 0."""
    memory = Path("/dev/shm")  # noqa: S108  where gunicorn.conf.py has them, too
    metrics_files.share(str(memory) if memory.is_dir() else None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), asked.rounds)
    finally:
        metrics_files.remove()
    return 0


def compare(folder: Path, rounds: int) -> None:

    import metrics
    from bench.serving import quiet
    from config import Settings
    from database import connections, db, migrating
    from mod_auth.models import Role
    from mod_auth.scopes import Scope
    from run import create_app
    from tests import factories

    settings = Settings.from_environment(
        dict(environment_of(f"sqlite:///{folder / 'bench.sqlite'}", folder / "repository"))
    )
    measured = create_app(settings)
    with mock.patch.object(connections, "time_statements", lambda engine: None):
        plain = create_app(settings)
    with measured.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
    tests = [factories.regression_test() for _ in range(20)]
    runs = [factories.run(tests=tests, progress=["testing", "completed"]) for _ in range(60)]
    headers = factories.signed_in(
        Role.admin, Scope.RUNS_READ, Scope.SYSTEM_READ, Scope.TOKENS_MANAGE
    )
    recorders = {name: getattr(metrics, name) for name in RECORDERS}

    def without() -> None:
        for name in RECORDERS:
            setattr(metrics, name, lambda *args, **options: None)

    def with_them() -> None:
        for name, recorder in recorders.items():
            setattr(metrics, name, recorder)

    with quiet():
        for path in ("/system/health", f"/runs/{runs[0].id}", "/runs?limit=50"):
            costs: dict[str, list[float]] = {"with": [], "without": []}
            for turn in range(rounds):
                kinds = [("without", plain, without), ("with", measured, with_them)]
                for name, app, prepare in kinds if turn % 2 else reversed(kinds):
                    prepare()
                    costs[name].append(one(app, path, headers))
                if turn == rounds // 10:  # whatever is done once is done
                    costs = {"with": [], "without": []}
            tell(path, costs)


def one(app: Any, path: str, headers: dict[str, str]) -> float:
    client = app.test_client()
    began = time.thread_time()
    response = client.get(f"/api/v1{path}", headers=headers)
    took = time.thread_time() - began
    assert response.status_code == 200, response.text  # noqa: S101
    return took


def tell(path: str, costs: dict[str, list[float]]) -> None:
    usual = {name: statistics.quantiles(found, n=4)[0] * 1e6 for name, found in costs.items()}
    more = usual["with"] - usual["without"]
    ratio = usual["with"] / usual["without"]
    print(
        f"{path:24} without {usual['without']:7.0f} us, with {usual['with']:7.0f} us: "
        f"{more:+5.0f} us, ratio {ratio:.3f}",
        flush=True,
    )
