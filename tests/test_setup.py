"""`scripts/setup` in a folder of its own, with requirements that need no network."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


FILES = (
    "requirements.txt", "requirements-demo.txt", "test-requirements.txt", "requirements-tools.txt"
)  # fmt: skip
LOCKED = sorted(path.name for path in ROOT.glob("*requirements*.txt"))


def new_checkout(folder: Path) -> Path:
    """A checkout whose requirements are empty."""
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", folder / "scripts")
    for name in FILES:
        (folder / name).write_text("# nothing\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return new_checkout(tmp_path / "checkout")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_checkout(tmp_path_factory.mktemp("made") / "checkout")
    done = setup(folder, "test")
    assert done.returncode == 0, done.stderr
    assert "packages of test-requirements.txt into .venv" in done.stderr
    assert "Installed (" in done.stderr
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
    for arguments in (["test"], ["demo"], []):
        again = setup(made, *arguments)
        assert (again.returncode, again.stderr) == (0, "")

    (made / "requirements.txt").write_text("# nothing yet\n")
    changed = setup(made)
    assert changed.returncode == 0
    assert "packages of requirements.txt into .venv" in changed.stderr
    assert "packages of requirements-demo.txt into .venv" in setup(made, "demo").stderr


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


def uv_on_the_path(checkout: Path, script: str) -> str:
    """A PATH that begins with a `uv` of the test."""
    folder = checkout / "tools"
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "uv").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_uv_on_the_path_installs(made: Path) -> None:
    (made / "requirements.txt").write_text("# another\n")
    path = uv_on_the_path(made, f'printf "%s " "$@" >{made}/asked')

    assert setup(made, PATH=path).returncode == 0
    asked = (made / "asked").read_text().split()
    assert asked[:2] == ["pip", "install"]
    assert asked[-2:] == ["-r", "requirements.txt"]


def test_where_uv_fails_pip_installs(made: Path) -> None:
    (made / "requirements.txt").write_text("# another\n")
    path = uv_on_the_path(made, "exit 2")

    done = setup(made, PATH=path)

    assert (done.returncode, setup(made).stderr) == (0, "")
    assert not (made / ".venv" / "uv").exists()


def test_it_gives_a_sign_of_life(made: Path) -> None:
    (made / "requirements.txt").write_text("# another\n")
    path = uv_on_the_path(made, f"while [ ! -e {made}/seen ]; do sleep 0.1; done")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["sh", str(made / "scripts" / "setup")],
        env={"PATH": path, "PYTHON": sys.executable, "PIP_NO_INDEX": "1"},
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while b"... 2 s" not in told:
        told += os.read(ours, 4096)
    (made / "seen").touch()

    assert process.wait(60) == 0
    os.close(ours)


@pytest.mark.parametrize("name", LOCKED)
def test_every_package_is_pinned_with_hashes(name: str) -> None:
    text = (ROOT / name).read_text()
    packages = re.split(r"\n(?=[A-Za-z])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))

    assert packages
    for package in packages:
        assert re.match(r"[A-Za-z0-9_.\[\]-]+==[^ ]+ ", package), package
        assert "--hash=sha256:" in package, package
    assert "://" not in text


def test_what_is_tested_is_what_is_served() -> None:
    served = pins("requirements.txt")

    for name in ("requirements-demo.txt", "requirements-runner.txt", "test-requirements.txt"):
        for package, version in pins(name).items():
            assert served.get(package, version) == version
    assert set(served) <= set(pins("requirements-demo.txt")) <= set(pins("test-requirements.txt"))


def test_every_package_that_is_named_is_pinned() -> None:
    for source in ROOT.glob("*requirements*.in"):
        names = re.findall(r"^([A-Za-z][A-Za-z0-9_.-]*)", source.read_text(), re.MULTILINE)
        pinned = pins(source.with_suffix(".txt").name)
        assert names
        assert not [n for n in names if re.sub(r"[_.]", "-", n).lower() not in pinned]


def test_no_server_installs_what_the_demonstration_needs() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()

    assert "imageio-ffmpeg" in pins("requirements-demo.txt")
    assert "imageio-ffmpeg" not in pins("requirements.txt")
    installed = set(re.findall(r"-r (\S+)", dockerfile))
    assert installed == {
        "requirements.txt", "requirements-mysqlclient.txt", "requirements-runner.txt"
    }  # fmt: skip


def pins(name: str) -> dict[str, str]:
    """The version of each package in a file, by its normal name."""
    found = re.findall(
        r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==([^ ;]+)", (ROOT / name).read_text(), re.MULTILINE
    )
    return {re.sub(r"[_.]", "-", package).lower(): version for package, version in found}
