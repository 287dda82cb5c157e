"""`scripts/setup` in a folder of its own, with requirements that need no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def new_checkout(folder: Path) -> Path:
    """A checkout whose requirements are empty."""
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "test-requirements.txt").write_text("-r requirements.txt\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return new_checkout(tmp_path / "checkout")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_checkout(tmp_path_factory.mktemp("made") / "checkout")
    done = setup(folder, "test")
    assert done.returncode == 0, done.stderr
    assert "Installing what test-requirements.txt pins" in done.stderr
    return folder


@pytest.fixture
def made(made_once: Path, tmp_path: Path) -> Path:
    """A checkout that is set up to test."""
    return shutil.copytree(made_once, tmp_path / "checkout", symlinks=True)


def setup(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHON": sys.executable, "PIP_NO_INDEX": "1"}
    return subprocess.run(
        ["sh", str(checkout / "scripts" / "setup"), *arguments],
        env=environment | variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_set_up_is_made_once_and_again_when_requirements_change(made: Path) -> None:
    for arguments in (["test"], []):
        again = setup(made, *arguments)
        assert (again.returncode, again.stderr) == (0, "")

    (made / "requirements.txt").write_text("# nothing yet\n")
    changed = setup(made)
    assert changed.returncode == 0
    assert "Installing what requirements.txt pins" in changed.stderr


def test_a_set_up_that_was_broken_off_is_made_anew(made: Path) -> None:
    (made / ".venv" / "unfinished").touch()
    (made / ".venv" / "half-installed").touch()

    assert setup(made).returncode == 0
    assert not (made / ".venv" / "half-installed").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(made: Path) -> None:
    for link in (made / ".venv" / "bin").glob("python*"):
        link.unlink()

    assert setup(made).returncode == 0
    assert subprocess.run([made / ".venv" / "bin" / "python", "-c", ""]).returncode == 0


def test_what_cannot_be_installed_is_said_and_tried_again(made: Path) -> None:
    (made / "requirements.txt").write_text("there-is-no-such-thing==1.0\n")

    for _ in range(2):
        failed = setup(made)
        assert failed.returncode == 1
        assert "there-is-no-such-thing==1.0" in failed.stderr
        assert "Is the network there?" in failed.stderr
    (made / "requirements.txt").write_text("# nothing\n")
    assert setup(made).returncode == 0


def test_a_python_that_is_too_old_is_said(checkout: Path) -> None:
    old = checkout / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    refused = setup(checkout, PYTHON=str(old))

    assert refused.returncode == 1
    assert "Python 3.11 or newer is needed" in refused.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_said(checkout: Path) -> None:
    bare = checkout / "bare-python"
    bare.write_text(f'#!/bin/sh\n[ "$1" = -m ] && exit 1\nexec "{sys.executable}" "$@"\n')
    bare.chmod(0o755)

    refused = setup(checkout, PYTHON=str(bare))

    assert refused.returncode == 1
    assert "cannot make a virtual environment" in refused.stderr
    assert not (checkout / ".venv").exists()
