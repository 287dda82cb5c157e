"""The session in docs/client.md, typed into a real terminal."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import ROOT, Settings
from database import db, migrating
from mod_auth.models import Role
from mod_auth.scopes import Scope
from run import create_app
from tests import factories
from tests.client.conftest import GOOD, LATE
from tests.conftest import SETTINGS_DEFAULTS
from tests.factories import Expected
from tests.patience import tries
from tests.web_server import Server

DOCUMENT = ROOT / "docs" / "client.md"
SESSION = r"<!-- session -->\n```console\n(.*?)```\n<!-- end of the session -->"
PROMPT = "$ "
WIDTH, LINES = 160, 300


def recorded() -> str:
    """The session as it stands in the document."""
    text = DOCUMENT.read_text("utf-8")
    found = re.search(
        r"<!-- session -->\n```console\n(.*?)```\n<!-- end of the session -->", text, re.DOTALL
    )
    assert found is not None
    return found[1]


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the terminal's shell has: a platform with two runs, and `ci` on its path."""
    repository = tmp_path / "repository"
    repository.mkdir()
    url = f"sqlite:///{tmp_path / 'platform.sqlite'}"
    app = create_app(Settings(**SETTINGS_DEFAULTS, database_url=url, sample_repository=repository))
    with app.app_context():
        migrating.upgrade()
        before = factories._bound[:]
        factories.bind(db.engine)
        token = fill(repository)
        db.engine.dispose()
        factories._bound[:] = before
    program = tmp_path / "bin" / "ci"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ccextractor_ci "$@"\n')
    program.chmod(0o755)
    server = Server(tmp_path / "log", database_url=url, sample_repository=repository).start()
    yield {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT / "clients" / "python"),
        "CI_PLATFORM_URL": f"http://127.0.0.1:{server.port}",
        "CI_PLATFORM_TOKEN": token,
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
        "PS1": PROMPT,
    }
    server.kill()


def fill(repository: Path) -> str:
    """A run that passed and one that failed the day after; an admin's token."""
    good = factories.stored_output(repository, GOOD)
    late = factories.stored_output(repository, LATE)
    sample = factories.sample(name="news.ts")
    fine = factories.regression_test(
        sample=sample, command="-out=srt", outputs=[Expected(good, filename="news.srt")]
    )
    tested = factories.regression_test(
        sample=sample,
        command="-out=srt -delay 500",
        outputs=[Expected(good, filename="late.srt")],
    )
    for day, commit in ((1, "before"), (2, "after")):
        run = factories.run(
            commit=factories.commit_of(commit),
            created_at=datetime(2026, 1, day, 12, tzinfo=UTC),
            progress=["preparation", "completed"],
        )
        factories.result(run, fine)
        factories.result(run, tested, outputs={tested.output: late} if day == 2 else None)
    return factories.token_for(factories.account(Role.admin), *Scope)


class Terminal:
    """A shell in tmux."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._socket = str(folder / "tmux")
        shell = "exec env -i " + " ".join(f"'{name}={value}'" for name, value in environ.items())
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(WIDTH), "-y", str(LINES),
            f"{shell} TERM=screen bash --norc --noprofile",
        )  # fmt: skip
        self.wait(0)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @property
    def shown(self) -> str:
        return self._tmux("capture-pane", "-p", "-J").rstrip()

    def wait(self, prompts: int) -> None:
        """Until the shell has asked for so many commands, and for one more."""
        for _ in tries(0.05):
            lines = self.shown.splitlines()
            asked = sum(line.startswith(PROMPT.strip()) for line in lines)
            if lines and lines[-1].strip() == PROMPT.strip() and asked == prompts + 1:
                return

    def type(self, command: str) -> None:
        self._tmux("send-keys", "-l", command)
        self._tmux("send-keys", "Enter")

    def close(self) -> None:
        self._tmux("kill-server")


def test_the_session_is_what_a_terminal_shows(tmp_path: Path, environ: dict[str, str]) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    expected = recorded()
    commands = [
        line.removeprefix(PROMPT) for line in expected.splitlines() if line.startswith(PROMPT)
    ]
    terminal = Terminal(tmp_path, environ)
    try:
        for number, command in enumerate(commands, 1):
            terminal.type(command)
            terminal.wait(number)
        shown = terminal.shown.removesuffix(PROMPT.strip())
    finally:
        terminal.close()

    actual = "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"
    assert actual == expected, f"docs/client.md is to say:\n{actual}"
