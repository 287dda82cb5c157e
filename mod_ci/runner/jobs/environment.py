"""The Python of a job: pytest as the runner has it, and what the project's requirements name.

Trees of packages are kept in the work folder by the hash of what they were made of, and mounted
read-only: a job cannot change what the next one gets.
"""

import hashlib
import importlib.metadata
import os
import re
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.engines.model import Bounds, Box, Engine, Line, Mount, Stop
from mod_ci.runner.files import open_regular
from mod_ci.runner.folders import remove
from mod_ci.runner.limits import MIB

REQUIREMENTS = "requirements.txt"
INCLUDES = re.compile(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)")
LOCAL = re.compile(r"^\s*(?:-e|--editable|\.{1,2}(?:/|\s*$|\[)|/|file:)|@\s*file:")
MOST_FILES, MOST_BYTES = 20, 1 * MIB
NAME = re.compile(r"[A-Za-z0-9._-]+")
INSTALL_BOUNDS = Bounds(
    time_s=600,
    memory_bytes=2048 * MIB,
    cpus=2,
    processes=256,
    output_bytes=16 * MIB,
    disk_bytes=4096 * MIB,
)
# The interpreter itself, not a virtual environment.
PYTHON = os.path.realpath(sys.executable)
PROJECT, PROGRAMS = "/job/project", "/job/bin"
PACKAGES, REQUIRED, PIP = "/job/packages", "/job/requirements", "/job/pip"


class InstallFailed(Exception):
    """The requirements could not be installed; says why."""


@dataclass(frozen=True)
class Required:
    """The requirement files of a project: their paths in it and contents. is_local: they name
    the project or a part of it, so that they can only be installed with it, for this job alone."""

    files: dict[str, bytes]
    is_local: bool

    def key(self, image: str | None) -> str:
        """The name of the tree that these make."""
        told = [image or PYTHON, *sorted(self.files)]
        digest = hashlib.sha256("\0".join(told).encode())
        for name in sorted(self.files):
            digest.update(hashlib.sha256(self.files[name]).digest())
        return digest.hexdigest()


def required(project: Path) -> Required | None:
    """The requirement files of an unpacked project; None where it has none.

    Raises InstallFailed for files that lead out of it, or that are too many or too large.
    """
    found: dict[str, bytes] = {}
    waiting = [REQUIREMENTS]
    is_local = False
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        content = _content(project, name)
        if content is None:
            if name == REQUIREMENTS:
                return None
            raise InstallFailed(f"{name} is not there.")
        found[name] = content
        if len(found) > MOST_FILES or sum(map(len, found.values())) > MOST_BYTES:
            raise InstallFailed("There are too many requirement files, or they are too large.")
        for line in content.decode("utf-8", "replace").splitlines():
            included = INCLUDES.match(line)
            if included:
                waiting.append(_beside(name, included[1]))
            elif LOCAL.search(line):
                is_local = True
    return Required(found, is_local)


def _beside(name: str, included: str) -> str:
    path = os.path.normpath(Path(name).parent / included)
    if path.startswith(("..", "/")) or "://" in included:
        raise InstallFailed(f"{included} is not a file of the project.")
    return path


def _content(project: Path, name: str) -> bytes | None:
    path = project / name
    if not path.resolve().is_relative_to(project.resolve()):
        raise InstallFailed(f"{name} leads out of the project.")
    file = open_regular(path)
    if file is None:
        return None
    with file:
        return file.read(MOST_BYTES + 1)


def tree_of(tool: str, folder: Path) -> Path:
    """A tool and what it needs, copied from this runner's packages once; the tree's folder.

    Raises InstallFailed where this runner has no such tool.
    """
    versions = _closure(tool)
    key = hashlib.sha256(repr(sorted(versions.items())).encode()).hexdigest()
    place = folder / f"{tool}-{key[:32]}"
    if place.is_dir():
        os.utime(place)
        return place
    draft = folder / f".{place.name}.{secrets.token_hex(8)}"
    for name in versions:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." in file.parts or not source.is_file() or source.suffix == ".pyc":
                continue
            target = draft / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    _put(draft, place)
    return place


def _closure(name: str) -> dict[str, str]:
    """A package and all that it needs, with their versions."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        try:
            distribution = importlib.metadata.distribution(one)
        except importlib.metadata.PackageNotFoundError:
            if one == name:
                raise InstallFailed(f"This runner has no {name}.") from None
            continue  # needed on other platforms or Pythons only
        found[one] = distribution.version
        for need in distribution.requires or ():
            named = NAME.match(need)
            if named and "extra ==" not in need:
                waiting.append(named[0])
    return found


def install(
    needed: Required,
    engine: Engine,
    *,
    trees: Path,
    folder: Path,
    project: Path,
    image: str | None,
    name: str,
    labels: Mapping[str, str],
    line: Line,
    stop: Stop,
) -> Path:
    """The tree of packages that requirement files name, made with the network where it is missing.

    Installing sees these files alone, unless they name the project itself; then the tree is this
    job's only. Raises InstallFailed, HostFailure, OSError.
    """
    place = folder / "packages" if needed.is_local else trees / f"packages-{needed.key(image)}"
    if place.is_dir():
        os.utime(place)
        return place
    draft = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    draft.mkdir(parents=True)
    if needed.is_local:
        seen = Mount(project, PROJECT, writable=True)
    else:
        seen = Mount(folder / "requirements", REQUIRED)
        for one, content in needed.files.items():
            (seen.source / one).parent.mkdir(parents=True, exist_ok=True)
            (seen.source / one).write_bytes(content)
    box = Box(
        name=name,
        labels=labels,
        image=image,
        mounts=(
            seen,
            Mount(draft, PACKAGES, writable=True),
            Mount(tree_of("pip", trees), PIP),
            *_indexes(),
        ),
        network=True,
        environment={"PYTHONPATH": PIP, **_settings_of_pip()},
        folder=seen.target,
    )
    python = PYTHON if image is None else "python3"
    argv = [
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-cache-dir", "--target", PACKAGES, "-r", f"{seen.target}/{REQUIREMENTS}",
    ]  # fmt: skip
    try:
        end = engine.run(box, argv, INSTALL_BOUNDS, line=line, stop=stop)
        if end.exit_code != 0:
            told = end.outcome if end.exit_code is None else f"exit code {end.exit_code}"
            raise InstallFailed(f"pip ended with {told}.")
        _put(draft, place)
    finally:
        remove(draft)
    return place


def _settings_of_pip() -> dict[str, str]:
    """Where this host gets its packages, as its own pip reads it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") and name not in ("PIP_TARGET", "PIP_PREFIX", "PIP_USER")
    }


def _indexes() -> list[Mount]:
    """Folders of packages on this host that pip's settings name."""
    found = []
    for words in (os.environ.get("PIP_FIND_LINKS", ""), os.environ.get("PIP_INDEX_URL", "")):
        for word in words.split():
            path = Path(word.removeprefix("file://"))
            if path.is_absolute() and path.is_dir():
                found.append(Mount(path, str(path)))
    return found


def _put(draft: Path, place: Path) -> None:
    """Put a finished tree in its place; another runner of this folder may have been first."""
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        remove(draft)


def programs(folder: Path) -> Mount:
    """The folder of the names by which a job of the default environment calls its Python.

    It is a virtual environment without packages: those of this host's Python are none of the job's.
    """
    place = folder / "bin"
    place.mkdir()
    (place / "pyvenv.cfg").write_text(
        f"home = {Path(PYTHON).parent}\ninclude-system-site-packages = false\n"
    )
    for name in ("python", "python3"):
        (place / name).symlink_to(PYTHON)
    script = place / "pytest"
    script.write_text('#!/bin/sh\nexec python -m pytest "$@"\n')
    script.chmod(0o755)
    return Mount(place, PROGRAMS)
