"""The examples of docs/client.md: the workflow's commands and the bot, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config import ROOT
from tests import factories
from tests.client.conftest import Runs
from tests.raw import Raw
from tests.runners import Runner, accepted
from tests.web_server import Server

TEXT = (ROOT / "docs" / "client.md").read_text("utf-8")


def example(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def environ(server: Server, token: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "clients" / "python"),
        "CI_PLATFORM_URL": f"http://127.0.0.1:{server.port}",
        "CI_PLATFORM_TOKEN": token,
    }


def test_the_bot_retries_each_failed_run_once(
    environ: dict[str, str], runs: Runs, raw: Raw
) -> None:
    command = [sys.executable, "-c", example("python")]

    first, second = (
        subprocess.run(command, env=environ, capture_output=True, text=True) for _ in range(2)
    )

    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(f"run {runs.failed} of ")
    assert (second.returncode, second.stdout) == (0, "")
    assert raw.execute("SELECT count(*) FROM test") == [(3,)]


def test_the_workflow_tests_a_commit_and_fails_with_it(
    environ: dict[str, str], server: Server, runners: Runner, tmp_path: Path
) -> None:
    factories.regression_test()
    workflow = yaml.safe_load(example("yaml"))
    (step,) = workflow["jobs"]["captions"]["steps"]
    assert set(step["env"]) == {"CI_PLATFORM_URL", "CI_PLATFORM_TOKEN"}
    summary = tmp_path / "summary.txt"
    of_github = {
        "GITHUB_SHA": "a" * 40,
        "GITHUB_REPOSITORY": factories.MAIN_REPOSITORY,
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    process = subprocess.Popen(
        ["bash", "-e", "-c", step["run"]],
        env={**environ, **of_github},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "queued" in process.stderr.readline()
    held = runners.claim()
    accepted(held.report(held.tests[0], exit_code=3))
    accepted(held.finish())

    told, _ = process.communicate()

    assert process.returncode == 1
    assert "1 of 1 tests fail" in told
    assert "1 of 1 tests fail" in summary.read_text()
