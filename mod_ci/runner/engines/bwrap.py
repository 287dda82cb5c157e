"""Boxes by bubblewrap: no root, no daemon, nothing that outlives the runner."""

import contextlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from functools import cached_property
from math import ceil
from pathlib import Path
from shutil import which
from threading import Lock

from mod_ci.runner import folders
from mod_ci.runner.contained import Cause, Command, Keeper
from mod_ci.runner.engines import attended, probe, root
from mod_ci.runner.engines.model import (
    NAMESPACE,
    RUNNER,
    Bounds,
    Box,
    End,
    EngineFailure,
    Line,
    Mount,
    Stop,
)
from mod_ci.runner.limits import Limits
from mod_ci.runner.sandbox import PRIVATE, proc

# Below the keeper there are bwrap and the launcher, beside what they run.
OF_OURS = 2


class Bubblewrap:
    """The engine `bwrap`.

    boxes: a folder of the runner's work folder; each box has one in it while it lives.
    images: the folder with the unpacked images that a box may name.
    """

    name = "bwrap"

    def __init__(self, boxes: Path, images: Path | None = None) -> None:
        self.boxes, self.images = boxes, images
        self.running: set[str] = set()
        self.lock = Lock()

    @cached_property
    def options(self) -> list[str]:
        """The options that this bubblewrap has of those that are not in every version."""
        shown = subprocess.run(
            ["bwrap", "--help"],  # noqa: S607  # found in PATH, as everywhere
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        return [name for name in ("--disable-userns",) if name in shown]

    def probe(self) -> str | None:
        """Try one real box; one sentence when it is not fit."""
        if which("bwrap") is None:
            return "bwrap is not installed"
        return probe.probe(self)

    def run(self, box: Box, argv: list[str], bounds: Bounds, *, line: Line, stop: Stop) -> End:
        """Run a program in a new box; see Engine.run."""
        image = root.find_image(box.image, self.images)
        with self.folder_of(box) as folder:
            mounts = root.lay_out(box, image, folder / "root", folder / "tmp")
            limits = Limits(
                bounds.time_s,
                memory_bytes=bounds.memory_bytes,
                processes=bounds.processes + OF_OURS,
            )
            command = Command(
                argv=[*self.wrap(box, mounts, folder), *launch(box, argv, bounds)],
                cwd=folder,
                # Nothing of the box's own: this is the keeper's, outside.
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                limits=limits,
            )
            writable = [folder / "tmp", *(m.source for m in box.mounts if m.writable)]
            course = attended.run(command, writable, bounds, line, stop, ask_first)
            # Of the report: the cause, its time, `started`, then the end.
            return attended.verdict(course, course.said[3:])

    @contextlib.contextmanager
    def folder_of(self, box: Box) -> Iterator[Path]:
        """Make the folder of a box, and remove it at the end."""
        folder = self.boxes / box.name
        with self.lock:
            self.boxes.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                raise EngineFailure(f"there is a box {box.name} already") from None
            self.running.add(box.name)
        try:
            (folder / "labels").write_text(json.dumps(dict(box.labels)), encoding="utf-8")
            yield folder
        finally:
            folders.remove(folder)
            with self.lock:
                self.running.discard(box.name)

    def wrap(self, box: Box, mounts: list[Mount], folder: Path) -> list[str]:
        """The command line of bubblewrap, up to the program."""
        # The keeper executes it by its path.
        args = [which("bwrap") or "bwrap", "--unshare-all", "--unshare-user", *self.options]
        args += ["--share-net"] if box.network else []
        args += ["--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "box"]
        args += ["--uid", str(root.UID), "--gid", str(root.GID), "--clearenv"]
        args += ["--setenv", "PATH", root.PATHS]
        args += ["--ro-bind", str(folder / "root"), "/", "--dev", "/dev", *proc()]
        for place in PRIVATE:
            args += ["--bind", str(folder / "tmp"), place]
        args += ["--remount-ro", "/dev"]
        for mount in mounts:
            args += ["--bind" if mount.writable else "--ro-bind", str(mount.source), mount.target]
        return [*args, "--chdir", box.folder, "--"]

    def leftovers(self, namespace: str, runner: str) -> list[str]:
        """Name the boxes that a runner of this work folder has left; see Engine.leftovers."""
        with self.lock:
            running = set(self.running)
        found = []
        for folder in sorted(self.boxes.iterdir()) if self.boxes.is_dir() else []:
            labels = labels_of(folder)
            owner = (labels.get(NAMESPACE), labels.get(RUNNER))
            if folder.name not in running and owner == (namespace, runner):
                found.append(folder.name)
        return found

    def remove(self, name: str) -> None:
        """Kill the processes in a box and remove its folder; see Engine.remove."""
        folder = self.boxes / name
        for pid in inside(folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        folders.remove(folder)


def launch(box: Box, argv: list[str], bounds: Bounds) -> list[str]:
    """The command line of the launcher in a box."""
    variables = [f"{name}={value}" for name, value in root.environment(box).items()]
    words = attended.launch_words(bounds, "3", processors(bounds.cpus), own_memory=True)
    return [*root.python(box), *words, str(len(variables)), *variables, *argv]


def processors(cpus: float) -> str:
    """Processors for so many, as the launcher takes them: `-` where there are no more."""
    allowed = sorted(os.sched_getaffinity(0))
    if not cpus or cpus >= len(allowed):
        return "-"
    chosen = random.sample(allowed, ceil(cpus))  # spreads the load
    return ",".join(str(cpu) for cpu in sorted(chosen))


def ask_first(keeper: Keeper, cause: Cause) -> Iterator[float]:
    """Ask the box to end when it is stopped from outside; whoever broke a limit is killed."""
    if cause is Cause.STOPPED:
        keeper.control.write(b"t")
        yield attended.GRACE_S


def labels_of(folder: Path) -> dict[str, str]:
    """The labels of a box; none where they cannot be read."""
    try:
        found = json.loads((folder / "labels").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def inside(folder: Path) -> list[int]:
    """The keepers and bubblewraps of a box, which take all that is in it with them."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink() == folder:
                found.append(int(process.name))
        except OSError:
            continue  # it ended, or is another user's
    return found
