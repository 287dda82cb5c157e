"""Compare the set-up of two revisions: `scripts/bench set-up [REVISION]`, against 4361dea.

Each is made in a folder of its own, with empty caches and without `uv` on the path: how long
`scripts/serve` sets up and first imports the application, and how large a server's `.venv` is then.
Needs the network.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.options import at_least
from config import ROOT

BEFORE = "4361dea"
MOST_SECONDS, MOST_SIZE = 0.4, 0.55


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("before", nargs="?", default=BEFORE, help="the revision to compare with")
    parser.add_argument(
        "--runs", type=at_least(1), default=3, help="of each, in turns; medians are shown"
    )


def main(options: argparse.Namespace) -> int:
    """Print a table of both revisions; the exit status says whether the targets are met."""
    seconds: dict[str, list[float]] = {options.before: [], "HEAD": []}
    sizes: dict[str, int] = {}
    for _ in range(options.runs):
        for revision, taken in seconds.items():
            with tempfile.TemporaryDirectory(prefix="set-up-") as folder:
                checkout = check_out(revision, Path(folder) / "checkout")
                taken.append(set_up(checkout, *kind_for_serve(checkout)))
    for revision in seconds:
        with tempfile.TemporaryDirectory(prefix="set-up-") as folder:
            checkout = check_out(revision, Path(folder) / "checkout")
            set_up(checkout)
            sizes[revision] = size_of(checkout / ".venv")
    medians = {revision: statistics.median(taken) for revision, taken in seconds.items()}
    faster = medians["HEAD"] / medians[options.before]
    smaller = sizes["HEAD"] / sizes[options.before]
    print(f"{'':<26}{options.before:>10}{'HEAD':>10}{'ratio':>8}  at most")
    print(row("set-up of serve (s)", medians[options.before], medians["HEAD"], MOST_SECONDS))
    print(row("a server's .venv (MB)", sizes[options.before] / 1e6, sizes["HEAD"] / 1e6, MOST_SIZE))
    return 0 if faster <= MOST_SECONDS and smaller <= MOST_SIZE else 1


def row(name: str, before: float, after: float, most: float) -> str:
    return f"{name:<26}{before:>10.1f}{after:>10.1f}{after / before:>8.2f}  {most}"


def check_out(revision: str, folder: Path) -> Path:
    """The files of a revision in a folder of their own."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", revision], check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def kind_for_serve(checkout: Path) -> list[str]:
    """The arguments of `scripts/setup` in `scripts/serve` of this revision."""
    (line,) = [
        line
        for line in (checkout / "scripts" / "serve").read_text().splitlines()
        if line.startswith("scripts/setup")
    ]
    return line.split()[1:]


def set_up(checkout: Path, *arguments: str) -> float:
    """Run `scripts/setup` with empty caches; how many seconds it took."""
    home = checkout.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "SSL_", "http", "HTTP", "no_proxy", "NO_PROXY"))
    }
    environment |= {"HOME": str(home), "PATH": path_without_uv(), "PYTHON": base_python()}
    environment |= {"UV_CACHE_DIR": str(home / "uv"), "PIP_CACHE_DIR": str(home / "pip")}
    began = time.monotonic()
    subprocess.run(
        [str(checkout / "scripts" / "setup"), *arguments],
        env=environment, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    # What was not compiled by the set-up is compiled by the first start.
    subprocess.run(
        [str(checkout / ".venv/bin/python"), "-c", "import run"],
        cwd=checkout, env=environment, check=True,
    )  # fmt: skip
    return time.monotonic() - began


def base_python() -> str:
    """The Python that the environment of this process was made with."""
    return str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")


def path_without_uv() -> str:
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not shutil.which("uv", path=folder))


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(
        path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink()
    )
