"""How a test's command becomes a process: the same rule as the runner's."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from . import changes
from .extractor.reading import program


class Named(Protocol):
    """An output, as far as its name goes."""

    @property
    def filename(self) -> str:
        """Its name in the test's directory."""


class Command(Protocol):
    """A test, as far as its execution goes."""

    @property
    def command(self) -> str:
        """The arguments, as a shell would read them."""

    @property
    def input_type(self) -> str:
        """`file` or `stdin`."""

    @property
    def output_type(self) -> str:
        """`file`, `stdout`, `null` or `report`."""

    @property
    def outputs(self) -> tuple[Named, ...]:
        """What it is expected to produce, the one that names the extension first."""


@dataclass(frozen=True)
class Executed:
    """How it ended, and what it produced: contents by the names of files."""

    exit_code: int
    outputs: dict[str, bytes]


def executable(tree: changes.Tree, folder: Path) -> Path:
    """Check the tree out into the folder, build it, and say where the executable is.

    Raises subprocess.CalledProcessError when it cannot be built.
    """
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
        path.chmod(0o755 if name in changes.EXECUTABLE else 0o644)
    environment = os.environ | {"PYTHON": sys.executable}
    # The script is ours and takes no arguments.
    subprocess.run([str(folder / "build.sh")], env=environment, check=True, capture_output=True)
    return folder / "build" / "ccextractor"


def execute(extractor: Path, test: Command, media: Path, directory: Path) -> Executed:
    """Execute the test in the directory, which is empty, and read what it left there."""
    command = [sys.executable, str(extractor), *shlex.split(test.command), *_output_arguments(test)]
    command.append("-" if test.input_type == "stdin" else str(media))
    # The directory is where a relative output goes; ffmpeg is the one that made the samples.
    with media.open("rb") as given:
        done = subprocess.run(
            command,
            cwd=directory,
            env=os.environ | {"FFMPEG": program()},
            stdin=given if test.input_type == "stdin" else subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    if test.output_type in ("stdout", "report"):
        return Executed(done.returncode, {test.outputs[0].filename: done.stdout})
    files = sorted(path for path in directory.iterdir() if path.is_file())
    return Executed(done.returncode, {path.name: path.read_bytes() for path in files})


def _output_arguments(test: Command) -> list[str]:
    if test.output_type == "null":
        return ["-out=null"]
    if test.output_type == "report":
        return ["-out=report"]
    if test.output_type == "stdout":
        return ["-stdout"]
    return ["-o", test.outputs[0].filename if test.outputs else "output"]
