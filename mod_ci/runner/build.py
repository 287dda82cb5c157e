"""The third stage: the configured command turns a checkout into an executable, once.

The command runs in the checkout, by `sh -c`, with `CHECKOUT` (that folder) and `OUTPUT`
(an empty folder) in its environment, and leaves an executable file `ccextractor` in
`$OUTPUT`, with whatever it needs beside it. What it left is kept, by the commit (a pull
request's by the merged tree) and the command, and used again as long as its hash is right.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.checkout import StageFailed
from mod_ci.runner.contained import Cause
from mod_ci.runner.files import is_executable, sha256_of
from mod_ci.runner.folders import remove
from mod_ci.runner.lease import Lease
from mod_ci.runner.protocol import Finish
from mod_ci.runner.sandbox import Sandbox, View
from mod_ci.runner.spool import Spool
from mod_ci.runner.tools import Tool, use

EXECUTABLE = "ccextractor"

# What a build may know of the runner's environment: tools and proxies, nothing private.
PASSED = re.compile(
    r"PATH|LANG|LC_.*|TZ|CC|CXX|CPP|LD|AR|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|MAKEFLAGS|"
    r"PKG_CONFIG_PATH|CARGO_HOME|RUSTUP_HOME|CCACHE_DIR|FFMPEG|(https?|ftp|all|no)_proxy",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Recipe:
    """How to build: the command, its time limit in seconds, and where it may write besides."""

    command: str
    time_s: float
    sandbox: Sandbox | None = None
    writable: tuple[Path, ...] = ()


def cached(builds: Path, key: str) -> Path | None:
    """The executable of an earlier build, when it is still what was built."""
    folder = builds / key
    executable = folder / "output" / EXECUTABLE
    try:
        digest = (folder / "sha256").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not is_executable(executable) or sha256_of(executable) != digest:
        return None
    os.utime(folder)  # the oldest by use, not by making, goes first
    return executable


def key_of(recipe: Recipe, source: str) -> str:
    """The name of a build in the cache; source: what makes its content, a commit or a tree."""
    return f"{source}-{hashlib.sha256(recipe.command.encode()).hexdigest()[:16]}"


def build(
    recipe: Recipe, key: str, builds: Path, work: Path, mirror: Path, spool: Spool, lease: Lease
) -> Path:
    """Build what is in `work/checkout`; returns the executable, in `builds`.

    Raises StageFailed `build_failed` of type `build`, with the end of what the command
    printed, when it fails, takes too long or leaves no executable.
    """
    known = cached(builds, key)
    if known is not None:
        spool.write("info", "build", [f"Built before: {key}"])
        return known
    checkout = work / "checkout"
    made, private, home = work / "build", work / "build-tmp", work / "build-home"
    output = made / "output"
    for folder in (output, private, home):
        folder.mkdir(parents=True)
    env = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
    env |= {"CHECKOUT": str(checkout), "OUTPUT": str(output)}
    if recipe.sandbox is None:
        env |= {"HOME": os.environ.get("HOME", str(home))}
    else:
        env |= {"HOME": str(home)}
    view = View(
        private=private,
        writable=(checkout, output, home, *recipe.writable),
        # The checkout borrows the mirror's objects.
        read_only=((mirror, mirror),),
        network=True,
    )
    argv = ["sh", "-c", recipe.command]
    tool = Tool(argv, checkout, env, recipe.time_s, "build", recipe.sandbox, view)
    done = use(tool, spool, lambda: lease.over)
    lease.check()
    if not done.ok or done.ended.cause is not Cause.EXITED:
        message = done.describe("The build command", recipe.time_s)
        raise StageFailed(Finish("build_failed", "build", message, done.lines))
    if not is_executable(output / EXECUTABLE):
        message = f"The build command left no executable file {EXECUTABLE} in $OUTPUT"
        raise StageFailed(Finish("build_failed", "build", message, done.lines))
    return keep(made, builds / key)


def keep(made: Path, place: Path) -> Path:
    """Move a build into the cache, whole or not at all; returns its executable."""
    digest = sha256_of(made / "output" / EXECUTABLE)
    (made / "sha256").write_text(f"{digest}\n", encoding="ascii")
    remove(place)  # what is there was found unfit
    made.rename(place)
    return place / "output" / EXECUTABLE
