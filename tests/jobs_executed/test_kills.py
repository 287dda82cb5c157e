"""Whatever dies, a job ends once, and nothing is left of it."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.jobs import lose_lease
from tests.jobs_executed.conftest import Jobs, boxes
from tests.patience import until
from tests.raw import Raw

LONG = {
    "test_it.py": "import time\n\ndef test_quick(): pass\n\ndef test_slow():\n    time.sleep(600)\n"
}


def running(jobs: Jobs, job_id: str) -> bool:
    tests = jobs.get(job_id, "/tests")["data"]
    return [test["outcome"] for test in tests] == ["passed"]


def test_the_next_runner_takes_what_a_killed_one_had(
    jobs: Jobs, start_runner: Callable[..., Any], raw: Raw, tmp_path: Path
) -> None:
    first = start_runner()
    job_id = jobs.submit(LONG)
    until(lambda: running(jobs, job_id))

    first.kill()
    first.wait()
    until(lambda: not boxes())
    lose_lease(raw, job_id)
    assert jobs.get(job_id)["state"] == "queued"
    start_runner()
    until(lambda: jobs.get(job_id)["attempts"][-1]["attempt"] == 2)
    until(lambda: running(jobs, job_id))
    jobs.post(job_id, "cancel")

    job = jobs.ended(job_id)
    assert [one["end_reason"] for one in job["attempts"]] == ["lease_expired", "canceled"]
    outcomes = [test["outcome"] for test in jobs.get(job_id, "/tests")["data"]]
    assert outcomes == ["passed", "running"]
    until(lambda: not boxes())
    until(lambda: not list((tmp_path / "work-1" / "boxes").glob("*")))


def test_a_runner_that_is_told_to_end_gives_its_job_back(
    jobs: Jobs, start_runner: Callable[..., Any]
) -> None:
    first = start_runner()
    job_id = jobs.submit(LONG)
    until(lambda: running(jobs, job_id))

    first.send_signal(signal.SIGTERM)

    assert first.wait(120) == 0
    job = jobs.get(job_id)
    assert (job["state"], job["attempts"][0]["end_reason"]) == ("queued", "runner_shutdown")
    assert not boxes()


def test_what_a_killed_runner_left_is_removed_by_its_successor(
    jobs: Jobs, start_runner: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    left = tmp_path / "work-0" / "boxes" / "left-over"
    left.mkdir(parents=True)
    (left / "labels").write_text('{"ci.namespace": "", "ci.runner": "runner-0", "ci.attempt": "1"}')
    others = tmp_path / "work-0" / "boxes" / "not-ours"
    others.mkdir()
    (others / "labels").write_text('{"ci.namespace": "x_", "ci.runner": "runner-0"}')
    start_runner()

    assert jobs.run({"a": ""}, command=["true"])["conclusion"] == "success"

    assert not left.exists()
    assert others.exists()


def test_a_job_that_kills_all_it_sees_is_the_jobs_own_end(
    jobs: Jobs, start_runner: Callable[..., Any]
) -> None:
    start_runner()

    job = jobs.run({"a": ""}, command=["sh", "-c", "kill -9 -1; kill -9 $$"])

    assert job["conclusion"] in ("failure", "error")
    assert jobs.run({"a": ""}, command=["true"])["conclusion"] == "success"
