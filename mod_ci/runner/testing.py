"""The fourth stage: all regression tests of the run, some at once."""

import shutil
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from mod_ci.runner.checkout import StageFailed
from mod_ci.runner.claim import Claim, RegressionTest
from mod_ci.runner.contained import HostFailure
from mod_ci.runner.execute import Bench, execute
from mod_ci.runner.folders import remove
from mod_ci.runner.heartbeat import Heart
from mod_ci.runner.lease import Abandoned
from mod_ci.runner.limits import MIB
from mod_ci.runner.protocol import Attempt, Finish
from mod_ci.runner.results import report
from mod_ci.runner.samples import SampleMissing, Samples


@dataclass(frozen=True)
class Floor:
    """Where the tests of a run are executed, and who hears of it."""

    attempt: Attempt
    claim: Claim
    samples: Samples
    bench: Bench
    heart: Heart
    folder: Path
    jobs: int


def test_all(floor: Floor) -> None:
    """Execute and report every test of the claim.

    A sample that cannot be had fails the stage at its end, `resource_unavailable` of type
    `storage`: the other tests have their results by then. Whatever else goes wrong with
    the run or this host ends all tests at once and is raised.
    """
    failed = threading.Event()
    lease = floor.attempt.lease
    bench = replace(floor.bench, stopping=lambda: failed.is_set() or lease.over)
    problems: deque[BaseException] = deque()
    missing: deque[str] = deque()

    def perform(test: RegressionTest) -> None:
        try:
            test_one(test, replace(floor, bench=bench))
        except SampleMissing as error:
            floor.bench.spool.write("error", "worker", [str(error)], test.regression_id)
            missing.append(str(error))
        except Abandoned:
            return
        except BaseException as error:  # noqa: BLE001  # handed to the stage's own thread
            problems.append(error)
            failed.set()

    with ThreadPoolExecutor(floor.jobs, thread_name_prefix="test") as pool:
        for test in floor.claim.tests:
            pool.submit(perform, test)
    lease.check()
    if problems:
        raise problems[0]
    if missing:
        what = sorted(set(missing))
        raise StageFailed(Finish("resource_unavailable", "storage", what[0], what))


def test_one(test: RegressionTest, floor: Floor) -> None:
    """Execute and report one test, unless the run is stopping."""
    stopping = floor.bench.stopping
    if stopping():
        raise Abandoned
    expect_room(floor)
    sample = floor.samples.sample(test.sample_id)
    media = floor.samples.fetch(sample, stopping)
    folder = floor.folder / str(test.regression_id)
    folder.mkdir()
    floor.heart.begins(test.regression_id)
    try:
        report(floor.attempt, execute(test, sample, media, folder, floor.bench))
    finally:
        floor.heart.ends(test.regression_id)
        remove(folder)


def expect_room(floor: Floor) -> None:
    """Raise HostFailure when the disk is too full: that would fail tests that are right."""
    free = shutil.disk_usage(floor.folder).free
    if free < floor.bench.limits.output_bytes:
        raise HostFailure(f"only {free // MIB} MiB are free in the runner's work folder")
