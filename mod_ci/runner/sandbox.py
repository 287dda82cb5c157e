"""The sandbox of a program: bubblewrap, with a read-only root and nothing private in it.

Inside, the root is the host's, read-only. `/tmp`, `/var/tmp` and `/dev/shm` are one
private folder, `/run` (and with it every socket of the host's services) is empty, the
runner's work folder and the user's secrets are not there, and processes and network are
the sandbox's own. Everything in it dies with it.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which

# Where programs and people usually keep what opens other systems.
SECRETS = (
    ".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".config/gh", ".docker", ".kube",
    ".netrc", ".git-credentials", ".config/git/credentials", ".pypirc", ".npmrc",
)  # fmt: skip

# What is one folder of the program's own in its sandbox.
PRIVATE = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108  # mount points, not files

# Files of the kernel that the host's root may write without any capability, which a runner that
# is root is in its sandbox, too. bubblewrap covers them only where it may write to the folders.
OF_KERNEL = (
    "sys",
    "sysrq-trigger",
    "irq",
    "bus",
    "fs",
    "acpi",
    "scsi",
    "driver",
    "mtrr",
    "pressure",
)

# Name resolution lives in /run on many hosts; a build may need it.
RESOLVERS = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager")


class SandboxMissing(Exception):
    """A sandbox was asked for and this host has none that works."""


@dataclass(frozen=True)
class Sandbox:
    """A bwrap that works, what to hide from every program in it, and what to show.

    hidden: files and folders that are not to be seen. shown: paths that stay visible,
    read-only, where they lie in a place that is private in the sandbox.
    """

    bwrap: str
    hidden: tuple[Path, ...] = ()
    shown: tuple[Path, ...] = ()


@dataclass(frozen=True)
class View:
    """What one program sees beyond the root: all paths absolute, as on the host.

    private: becomes `/tmp`. writable: may be written. read_only: pairs of a file on the
    host and where it is seen. network: whether the host's network is there.
    """

    private: Path
    writable: tuple[Path, ...] = ()
    read_only: tuple[tuple[Path, Path], ...] = ()
    network: bool = False


def choose(mode: str, *, hidden: Iterable[Path], shown: Iterable[Path]) -> Sandbox | None:
    """The sandbox for `auto`, `bwrap` or `off`; None means to run without.

    It is tried once, here: a bwrap that is installed may still not be allowed to work.
    Raises SandboxMissing when `bwrap` is asked for and does not work.
    """
    if mode == "off":
        return None
    bwrap = which("bwrap")
    if bwrap is None:
        problem = "bwrap is not installed"
    else:
        sandbox = Sandbox(
            bwrap,
            tuple(path.resolve() for path in hidden if path.exists()),
            tuple(path.absolute() for path in shown if path.exists()),
        )
        problem = probe(sandbox)
        if not problem:
            return sandbox
    if mode == "bwrap":
        raise SandboxMissing(f"no sandbox: {problem}")
    return None


def probe(sandbox: Sandbox) -> str:
    """What goes wrong when a trivial program runs in the sandbox; empty when nothing does."""
    with tempfile.TemporaryDirectory() as folder:
        private, work = Path(folder, "private"), Path(folder, "work")
        private.mkdir()
        work.mkdir()
        argv = wrap(sandbox, [sys.executable, "-I", "-S", "-c", ""], work, View(private, (work,)))
        try:
            done = subprocess.run(  # noqa: S603  # our own argument list
                argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode == 0:
        return ""
    return done.stderr.decode("utf-8", "replace").strip() or f"bwrap exits with {done.returncode}"


def secrets_of(home: Path) -> list[Path]:
    """The files and folders in a home that hold what opens other systems."""
    return [home / name for name in SECRETS if (home / name).exists()]


def wrap(sandbox: Sandbox, argv: Sequence[str], cwd: Path, view: View) -> list[str]:
    """The command line that runs `argv` in the sandbox, in folder `cwd`."""
    args = [sandbox.bwrap, "--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]
    args += ["--share-net"] if view.network else []
    args += ["--ro-bind", "/", "/", "--dev", "/dev", *proc(), "--tmpfs", "/run"]
    if view.network:
        for place in RESOLVERS:
            args += ["--ro-bind-try", place, place]
    for place in PRIVATE:
        args += ["--bind", str(view.private), place]
    args += ["--remount-ro", "/dev"]
    args += curtains(sandbox)
    for path in view.writable:
        args += ["--bind", str(path), str(path)]
    for source, place_of in view.read_only:
        args += ["--ro-bind", str(source), str(place_of)]
    # An empty place would else be one to fill the host's memory with.
    for index, word in enumerate(tuple(args)):
        args += ["--remount-ro", args[index + 1]] if word == "--tmpfs" else []
    return [*args, "--chdir", str(cwd), "--", *argv]


def proc() -> list[str]:
    """The arguments for a `/proc` through which nothing of the host can be changed."""
    args = ["--proc", "/proc"]
    for name in OF_KERNEL:
        path = Path("/proc", name)
        args += ["--ro-bind", str(path), str(path)] if path.exists() else []
    return args


def curtains(sandbox: Sandbox) -> list[str]:
    """The arguments that hide what is to be hidden and show what is to be shown."""
    args: list[str] = []
    masked = [Path(place) for place in (*PRIVATE, "/run")]
    folders = [path for path in sandbox.hidden if path.is_dir()]
    # What lies below a masked place is gone already, and cannot be a mount point there.
    shown = [path for path in sandbox.shown if below(path, [*masked, *folders])]
    for path in folders:
        args += [] if below(path, masked) else ["--tmpfs", str(path)]
    for path in shown:
        args += ["--ro-bind", str(path), str(path)]
    # What is shown may hold something that is hidden.
    for path in folders:
        args += ["--tmpfs", str(path)] if inside(path, shown) else []
    for path in sandbox.hidden:
        if path.is_file() and (inside(path, shown) or not below(path, [*masked, *folders])):
            args += ["--ro-bind", "/dev/null", str(path)]
    return args


def below(path: Path, places: Iterable[Path]) -> bool:
    """Return whether the path is one of the places or lies in one."""
    return any(path.is_relative_to(place) for place in places)


def inside(path: Path, places: Iterable[Path]) -> bool:
    """Return whether the path lies in one of the places, and is none of them."""
    return any(path != place and path.is_relative_to(place) for place in places)
