"""The command `ci` and the library, asking a real server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccextractor_ci import Client
from ccextractor_ci.cli.main import main
from mod_auth.models import Role
from mod_auth.scopes import Scope
from tests import factories
from tests.factories import Expected
from tests.web_server import Server

GOOD = b"1\n00:00:01,000 --> 00:00:02,000\nGood evening.\n"
LATE = b"1\n00:00:01,500 --> 00:00:02,500\nGood evening.\n"
ENDED = ("preparation", "testing", "completed")


@dataclass
class Said:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@dataclass
class Runs:
    """A run that passed, one of the next commit that failed, and the test that is late there."""

    passed: int
    failed: int
    late: int
    command: str


@pytest.fixture
def token(site: object) -> str:
    """An admin's token with every scope."""
    return factories.token_for(factories.account(Role.admin), *Scope)


@pytest.fixture
def ci(
    server: Server,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., Said]:
    """`ci(*arguments)`: a command against the server, as that account."""
    monkeypatch.setenv("CI_PLATFORM_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("CI_PLATFORM_TOKEN", token)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Said:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return run


@pytest.fixture
def library(server: Server, token: str) -> Client:
    return Client(f"http://127.0.0.1:{server.port}", token)


@pytest.fixture
def runs(sample_repository: Path) -> Runs:
    good = factories.stored_output(sample_repository, GOOD)
    late = factories.stored_output(sample_repository, LATE)
    fine = factories.regression_test(outputs=[Expected(good, filename="news.srt")])
    tested = factories.regression_test(
        command="-out=srt -delay 500", outputs=[Expected(good, filename="late.srt")]
    )
    passed = factories.run(commit=factories.commit_of("before"), progress=ENDED)
    failed = factories.run(commit=factories.commit_of("after"), progress=ENDED)
    for run in (passed, failed):
        factories.result(run, fine)
    factories.result(passed, tested)
    factories.result(failed, tested, outputs={tested.output: late})
    return Runs(passed.id, failed.id, tested.id, "-out=srt -delay 500")
