"""What a claim costs above a bare Flask route while runs are queued, at 20 claims a second.

Claims and requests of the bare route take turns in one run, on MariaDB. Then many runners claim at
once as quickly as they can. Exit status 1: the bound is broken, or a run was lost or doubled.
"""

import argparse
import contextlib
import json
import threading
import time
from collections import Counter
from typing import Any

from bench import make
from bench.measure import HEADERS
from bench.options import at_least
from bench.places import Place, add_options, places
from bench.queued import Queued, connected, queued, send
from bench.serving import API, BARE, Server, served
from bench.timing import WrongAnswer, percentile

BOUND_MS = 10.0
CLAIMS_PER_SECOND = 20
WARM_UP = 20
# Nobody sends heartbeats here: no lease may be lost while all runs are claimed.
LEASE_SECONDS = 3600


def arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser)
    parser.add_argument("--runs", type=at_least(1), default=2000, help="queued runs (2000)")
    parser.add_argument("--claims", type=at_least(1), default=300, help="that are measured (300)")
    parser.add_argument("--runners", type=at_least(1), default=50, help="at once (50)")
    parser.add_argument(
        "--at-once", type=at_least(1), default=600, help="claims by all of them (600)"
    )


def main(asked: argparse.Namespace) -> int:
    """Measure; 0 when the bound is kept and no run was lost or doubled."""
    with places(asked, asked.size, only_mariadb=True) as (place,):
        make.made(place)
        environment = {**place.environment, "LEASE_SECONDS": str(LEASE_SECONDS)}
        with (
            queued(place, asked.runs) as waiting,
            served(BARE, environment) as bare,
            served(API, environment) as api,
        ):
            kept = _paced(bare, api, asked.claims)
            whole = _at_once(place, waiting, api, asked.runners, asked.at_once)
    return 0 if kept and whole else 1


def _paced(bare: Server, api: Server, count: int) -> bool:
    """Claims in their pace, each after a request of the bare route; whether the bound is kept."""
    took: dict[str, list[float]] = {"bare route": [], "claim": []}
    with (
        contextlib.closing(bare.connect()) as plain,
        contextlib.closing(api.connect()) as runner,
    ):
        began = time.perf_counter()
        for turn in range(count + WARM_UP):
            time.sleep(max(0.0, began + turn / CLAIMS_PER_SECOND - time.perf_counter()))
            _, _, bare_ms = send(plain, "GET", "/bare", b"", {})
            _, claim_ms = _claim(runner, "paced")
            if turn >= WARM_UP:
                took["bare route"].append(bare_ms)
                took["claim"].append(claim_ms)
    print(f"{'':12}{'p50 ms':>9}{'p95 ms':>9}")
    for what, times in took.items():
        print(f"{what:12}{percentile(times, 0.5):9.2f}{percentile(times, 0.95):9.2f}")
    above = percentile(took["claim"], 0.95) - percentile(took["bare route"], 0.95)
    kept = above <= BOUND_MS
    print(
        f"p95 of a claim above the bare route's: {above:.2f} ms "
        f"({'within' if kept else 'MORE THAN'} {BOUND_MS:g} ms)",
        flush=True,
    )
    return kept


def _at_once(place: Place, waiting: Queued, api: Server, runners: int, most: int) -> bool:
    """Claims by many runners at once; whether each run went out once, the oldest first."""
    share = most // runners
    taken: list[list[int]] = [[] for _ in range(runners)]

    def work(number: int) -> None:
        with contextlib.closing(api.connect()) as connection:
            for _ in range(share):
                claim, _ = _claim(connection, f"runner-{number}")
                if claim is None:
                    return
                taken[number].append(claim["run"]["run_id"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(runners)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    claimed = Counter(run_id for some in taken for run_id in some)
    with contextlib.closing(connected(place)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT test_id FROM run_attempt WHERE test_id IN %s", (waiting.runs,))
        attempts = Counter(run_id for (run_id,) in cursor.fetchall())
    doubled = sum((attempts | claimed).values()) - len(attempts | claimed)
    # All that was handed out are the oldest: one that is skipped was lost on the way.
    lost = len(set(sorted(waiting.runs)[: len(attempts)]) - set(attempts))
    lost += min(share * runners, len(waiting.runs)) - len(claimed) if not doubled else 0
    print(
        f"{runners} runners at once: {len(claimed)} claims in {seconds:.1f} s "
        f"({len(claimed) / seconds:.0f} a second), {doubled} doubled, {lost} lost"
    )
    return not doubled and not lost


def _claim(connection: Any, name: str) -> tuple[dict[str, Any] | None, float]:
    """What a claim was answered, None when nothing waits, and its ms. Raises WrongAnswer."""
    body = json.dumps({"platform": "linux", "runner_name": name}).encode()
    headers = {**HEADERS, "Content-Type": "application/json"}
    status, data, took = send(connection, "POST", "/api/v1/attempts", body, headers)
    if status not in (201, 204):
        raise WrongAnswer(f"claim: {status} {data[:500]!r}")
    return (json.loads(data) if status == 201 else None), took
