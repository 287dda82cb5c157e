"""What a result of a run costs above a bare INSERT and COMMIT on the same database.

One run's results come through the existing workers' endpoint (an output and an end for each test),
another's through our runner's, in turn with the plain statements of the same rows, on MariaDB.
Exit status 1: the bound is broken.
"""

import argparse
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

from bench import make
from bench.measure import HEADERS
from bench.options import at_least
from bench.places import add_options, places
from bench.queued import Queued, connected, queued, send
from bench.serving import API, BARE, served
from bench.timing import WrongAnswer, percentile

BOUND_MS = 4.0
WARM_UP = 10
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
RESULT = (
    "INSERT INTO test_result (test_id, regression_test_id, runtime, exit_code, expected_rc) "
    "VALUES (%s, %s, 5, 0, 0)"
)
FILE = (
    "INSERT INTO test_result_file (test_id, regression_test_id, regression_test_output_id, "
    "expected, got) VALUES (%s, %s, %s, %s, NULL)"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument(
        "--results", type=at_least(WARM_UP + 1), default=250, help="of each run (250)"
    )


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept by every kind of request."""
    with places(asked, asked.size, only_mariadb=True) as (place,):
        make.made(place)
        with (
            queued(place, 3) as waiting,
            served(BARE, place.environment) as bare,
            served(API, place.environment) as api,
            contextlib.closing(connected(place)) as plain,
            contextlib.closing(api.connect()) as worker,
            contextlib.closing(bare.connect()) as nobody,
        ):
            took = _measured(plain, worker, nobody, waiting, asked.results)
    return 0 if _told(took) else 1


@dataclass(frozen=True)
class Output:
    regression_id: int
    output_id: int
    correct: str


def _measured(
    plain: Any, worker: HTTPConnection, nobody: HTTPConnection, waiting: Queued, count: int
) -> dict[str, list[float]]:
    """The ms of each kind of request and of the plain statements, test by test in turn."""
    bare_run, their_run, our_run = waiting.runs
    tokens = waiting.tokens
    _post(worker, their_run, tokens[their_run], type="progress", status="testing", message="")
    claim = _claimed(worker, our_run)
    took: dict[str, list[float]] = {}
    for turn, output in enumerate(_outputs(plain, waiting)[:count]):
        kinds: dict[str, Callable[[], float]] = {
            "bare route": lambda: send(nobody, "GET", "/bare", b"", {})[2],
            "INSERT, COMMIT": lambda output=output: _statements(plain, bare_run, output),  # type: ignore[misc]
            "worker: output": lambda output=output: _post(  # type: ignore[misc]
                worker, their_run, tokens[their_run], type="equality",
                test_id=output.regression_id, test_file_id=output.output_id,
            ),
            "worker: end": lambda output=output: _post(  # type: ignore[misc]
                worker, their_run, tokens[their_run], type="finish",
                test_id=output.regression_id, runTime=5, exitCode=0,
            ),
            "runner: result": lambda output=output: _put(worker, claim, output),  # type: ignore[misc]
        }  # fmt: skip
        for kind, ask in kinds.items():
            ms = ask()
            if turn >= WARM_UP:
                took.setdefault(kind, []).append(ms)
    return took


def _told(took: dict[str, list[float]]) -> bool:
    plain = percentile(took["INSERT, COMMIT"], 0.5)
    kept = True
    print(f"{'':16}{'p50 ms':>9}{'p95 ms':>9}{'mean ms':>9}  above INSERT, COMMIT")
    for kind, times in took.items():
        mean = sum(times) / len(times)
        above = percentile(times, 0.5) - plain
        line = f"{kind:16}{percentile(times, 0.5):9.2f}{percentile(times, 0.95):9.2f}{mean:9.2f}"
        if ": " in kind:
            kept = kept and above <= BOUND_MS
            line += f"  {above:.2f} ms ({'within' if above <= BOUND_MS else 'MORE THAN'} "
            line += f"{BOUND_MS:g} ms)"
        print(line)
    return kept


def _outputs(plain: Any, waiting: Queued) -> list[Output]:
    """One output of each test that has one, with its baseline."""
    with plain.cursor() as cursor:
        cursor.execute(
            "SELECT regression_id, MIN(id) FROM regression_test_output WHERE regression_id IN %s "
            "AND id > 0 AND correct <> '' GROUP BY regression_id ORDER BY regression_id",
            (waiting.tests,),
        )
        first = cursor.fetchall()
        cursor.execute(
            "SELECT id, correct FROM regression_test_output WHERE id IN %s",
            ([output_id for _, output_id in first],),
        )
        correct = dict(cursor.fetchall())
    plain.rollback()
    return [Output(test, output_id, correct[output_id]) for test, output_id in first]


def _statements(plain: Any, run_id: int, output: Output) -> float:
    """The ms of one row and its COMMIT; the result's other row is written beside the clock."""
    with plain.cursor() as cursor:
        began = time.perf_counter()
        cursor.execute(RESULT, (run_id, output.regression_id))
        plain.commit()
        took = (time.perf_counter() - began) * 1000
        cursor.execute(FILE, (run_id, output.regression_id, output.output_id, output.correct))
        plain.commit()
    return took


def _post(connection: HTTPConnection, run_id: int, token: str, **form: Any) -> float:
    body = urlencode(form).encode()
    status, data, took = send(
        connection, "POST", f"/progress-reporter/{run_id}/{token}", body, FORM
    )
    if (status, data) != (200, b"OK"):
        raise WrongAnswer(f"{form}: {status} {data[:500]!r}")
    return took


def _claimed(connection: HTTPConnection, run_id: int) -> dict[str, Any]:
    """Claims until it is this run's turn."""
    body = json.dumps({"platform": "linux", "runner_name": "import"}).encode()
    headers = {**HEADERS, "Content-Type": "application/json"}
    while True:
        status, data, _ = send(connection, "POST", "/api/v1/attempts", body, headers)
        if status != 201:
            raise WrongAnswer(f"claim: {status} {data[:500]!r}")
        claim: dict[str, Any] = json.loads(data)
        if claim["run"]["run_id"] == run_id:
            return claim


def _put(connection: HTTPConnection, claim: dict[str, Any], output: Output) -> float:
    told = {
        "runtime_ms": 5,
        "exit_code": 0,
        "outcome": "exited",
        "outputs": [{"output_id": output.output_id, "sha256": output.correct}],
    }
    body = json.dumps(told).encode()
    headers = {
        "Authorization": f"Bearer {claim['credential']}",
        "Content-Type": "application/json",
    }
    url = f"/api/v1/attempts/{claim['attempt_id']}/results/{output.regression_id}"
    status, data, took = send(connection, "PUT", url, body, headers)
    if status != 200:
        raise WrongAnswer(f"{url}: {status} {data[:500]!r}")
    return took
