"""Boxes by podman or docker: the kernel's limits, a user of its own, seccomp, images.

The command line, attached, with no log of the engine's: the runner's pipe is the only one.
A container outlives the client that started it, so it is ended by its name.
"""

import contextlib
import json
import os
import resource
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from threading import Lock, Thread

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
    ImageMissing,
    Line,
    Mount,
    Stop,
)
from mod_ci.runner.limits import Limits
from mod_ci.runner.sandbox import PRIVATE

# Users of the host that are nobody's: the users of a container start here.
FIRST_UID = 200_000
UIDS = 65_536
STATUS = "/.ci/status"
# A call of the engine that starts nothing.
CALL_S = 60.0
# For the engine to start a container and to tell its end, beyond the box's own time.
OVERHEAD_S = 60.0
KILLED_WITHIN_S = 15.0
# Where roots are: the user of a container must be able to come to it, which is not so for the
# runner's work folder.
ROOTS = Path("/run/ci-boxes")


@dataclass(frozen=True)
class Place:
    """The folders of one box: the runner's own, and the root that the container gets."""

    folder: Path
    root: Path


class Containers:
    """The engines `podman` and `docker`.

    boxes: a folder of the runner's work folder. images: unpacked images; a name that is not
    among them is looked for in the engine's own storage. Nothing is ever pulled.
    """

    def __init__(self, name: str, boxes: Path, images: Path | None = None) -> None:
        self.name, self.boxes, self.images = name, boxes, images
        self.running: set[str] = set()
        self.lock = Lock()
        self.is_root = os.geteuid() == 0

    @property
    def is_podman(self) -> bool:
        """Return whether it has podman's own options."""
        return self.name == "podman"

    @property
    def has_users(self) -> bool:
        """Return whether each container gets users of its own, which the host does not have."""
        return self.is_podman and self.is_root

    @property
    def user(self) -> int:
        """The host's user that a program in a box is."""
        if self.has_users:
            return FIRST_UID + root.UID
        return root.UID if self.is_root else os.getuid()

    def probe(self) -> str | None:
        """Try one real box; one sentence when it is not fit."""
        if which(self.name) is None:
            return f"{self.name} is not installed"
        try:
            self.call(
                "info", "--format", "{{.Host.OCIRuntime.Name}}" if self.is_podman else "{{.ID}}"
            )
        except EngineFailure as error:
            return str(error)
        return probe.probe(self)

    def run(self, box: Box, argv: list[str], bounds: Bounds, *, line: Line, stop: Stop) -> End:
        """Run a program in a new box; see Engine.run."""
        stored, image = self.find_image(box.image)
        with self.place_of(box) as place:
            private = place.folder / "tmp"
            mounts = root.lay_out(box, image, place.root, private, stored=stored is not None)
            mounts += [Mount(private, path, writable=True) for path in PRIVATE]
            word = secrets.token_hex(16)
            status = place.folder / "status"
            status.write_text(f"{word}\n", encoding="ascii")
            status.chmod(0o600)
            mounts.append(Mount(status, STATUS, writable=True))
            root.make_point(mounts[-1], place.root, private)
            self.give(place.root, mounts)
            source = self.source(place, stored)
            command = Command(
                argv=[*self.wrap(box, mounts, bounds, source), *launch(box, argv, bounds)],
                cwd=place.folder,
                env=client_environment(),
                limits=Limits(bounds.time_s + OVERHEAD_S),
            )
            writable = [private, *(m.source for m in box.mounts if m.writable)]
            course = attended.run(command, writable, bounds, line, stop, self.ending(box.name))
            return attended.verdict(course, proven(status, word))

    def find_image(self, name: str | None) -> tuple[str | None, Path | None]:
        """The image in the engine's storage, or the folder of one; raises ImageMissing."""
        try:
            return None, root.find_image(name, self.images)
        except ImageMissing:
            # Never an option of the command line, nor a path.
            if name is None or not name[:1].isalnum() or any(c.isspace() for c in name):
                raise
            try:
                self.call("image", "inspect", "--format", "{{.Id}}", name)
            except EngineFailure:
                raise ImageMissing(f"this runner has no image {name[:100]!r}") from None
            return name, None

    @contextlib.contextmanager
    def place_of(self, box: Box) -> Iterator[Place]:
        """Make the folders of a box, and remove the box at the end."""
        place = self.place(box.name)
        with self.lock:
            for parent in (self.boxes, *([ROOTS] if self.has_users else [])):
                parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            try:
                place.folder.mkdir(mode=0o700)
            except FileExistsError:
                raise EngineFailure(f"there is a box {box.name} already") from None
            self.running.add(box.name)
        try:
            yield place
        finally:
            try:
                self.remove(box.name)
            finally:
                with self.lock:
                    self.running.discard(box.name)

    def place(self, name: str) -> Place:
        """The folders of a box."""
        folder = self.boxes / name
        return Place(folder, ROOTS / name if self.has_users else folder / "root")

    def give(self, root_folder: Path, mounts: Sequence[Mount]) -> None:
        """Give what a box may write to its user; what it may not, to nobody that it could be."""
        if not self.is_root:
            return
        if self.has_users:
            # The engine makes files in the root as the container's own root.
            own(root_folder, FIRST_UID)
        for mount in mounts:
            if mount.writable:
                own(mount.source, self.user)

    def source(self, place: Place, stored: str | None) -> list[str]:
        """What the container is made of, as the last options before its command."""
        if stored is not None:
            return [stored]
        if self.is_podman:
            return ["--rootfs", str(place.root)]
        # Docker knows no folders, but an image of empty mount points costs little.
        packed = place.folder / "root.tar"
        pack = ["tar", "-C", str(place.root), "-cf", str(packed), "."]
        subprocess.run(pack, check=True, timeout=CALL_S)  # noqa: S603  # our own folder
        image = image_of(place.folder.name)
        self.call("import", str(packed), image)
        return [image]

    def wrap(
        self, box: Box, mounts: Sequence[Mount], bounds: Bounds, source: Sequence[str]
    ) -> list[str]:
        """The command line of the engine, up to the program."""
        memory = str(bounds.memory_bytes)
        args = [which(self.name) or self.name]
        if self.is_podman and which("runc"):
            args += ["--runtime", "runc"]
        args += ["run", "--name", box.name, "--log-driver", "none", "--pull", "never"]
        args += ["--cap-drop", "all", "--security-opt", "no-new-privileges", "--read-only"]
        args += ["--pids-limit", str(bounds.processes + 1), "--cpus", str(bounds.cpus)]
        args += ["--memory", memory, "--memory-swap", memory]
        args += ["--network", "host" if box.network else "none", "--hostname", "box"]
        args += ["--workdir", box.folder, "--entrypoint", ""]
        args += ["--env", f"PATH={root.PATHS}"]
        for limit in ulimits():
            args += ["--ulimit", limit]
        for name, value in box.labels.items():
            args += ["--label", f"{name}={value}"]
        if self.is_podman:
            args += ["--read-only-tmpfs=false", "--no-hosts", "--passwd=false"]
        if self.has_users:
            args += ["--uidmap", f"0:{FIRST_UID}:{UIDS}", "--gidmap", f"0:{FIRST_UID}:{UIDS}"]
        elif self.is_podman:
            args += ["--userns", f"keep-id:uid={root.UID},gid={root.GID}"]
        args += ["--user", f"{root.UID}:{root.GID}"]
        for mount in mounts:
            kind = "" if mount.writable else ",readonly"
            args += ["--mount", f"type=bind,source={mount.source},target={mount.target}{kind}"]
        return [*args, *source]

    def ending(self, name: str) -> attended.Ending:
        """The steps that end a container: client and keeper's kill are not enough."""

        def end(_keeper: Keeper, cause: Cause) -> Iterator[float]:
            if cause is Cause.STOPPED:
                self.signal(name, "TERM")
                yield attended.GRACE_S
            self.signal(name, "KILL")
            yield KILLED_WITHIN_S

        return end

    def signal(self, name: str, signal: str) -> None:
        """Send a signal to process 1 of a box, which may have ended; does not wait for it.

        An engine may only answer when somebody has read what the box prints.
        """

        def send() -> None:
            with contextlib.suppress(EngineFailure):
                self.call("kill", "--signal", signal, name)

        Thread(target=send, name=f"kill {name}", daemon=True).start()

    def leftovers(self, namespace: str, runner: str) -> list[str]:
        """Name the boxes of a namespace and runner; see Engine.leftovers."""
        wanted = {NAMESPACE: namespace, RUNNER: runner}
        filters = [
            word for name, value in wanted.items() for word in ("--filter", f"label={name}={value}")
        ]
        shown = self.call("ps", "--all", *filters, "--format", "{{.Names}}").split()
        with self.lock:
            running = set(self.running)
        # A filter's value is a pattern in some versions, and an empty one is any.
        return [name for name in shown if name not in running and self.has(name, wanted)]

    def has(self, name: str, wanted: Mapping[str, str]) -> bool:
        """Return whether a container has all these labels."""
        try:
            labels = json.loads(self.call("inspect", "--format", "{{json .Config.Labels}}", name))
        except EngineFailure:
            return False  # it ended meanwhile
        return all((labels or {}).get(key) == value for key, value in wanted.items())

    def remove(self, name: str) -> None:
        """Kill and remove a container with its folders; see Engine.remove."""
        self.call("rm", "--force", *(["--time", "0"] if self.is_podman else []), name)
        if not self.is_podman:
            self.call("image", "rm", "--force", image_of(name))
        place = self.place(name)
        folders.remove(place.root)
        folders.remove(place.folder)

    def call(self, *arguments: str) -> str:
        """Call the engine; returns what it prints, or raises EngineFailure."""
        try:
            done = subprocess.run(  # noqa: S603  # our own argument list
                [self.name, *arguments],
                env=client_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CALL_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineFailure(f"{self.name} {arguments[0]}: {error}") from error
        # Docker's rm does not take a container that is gone for removed.
        if done.returncode != 0 and not ("rm" in arguments[:2] and "o such" in done.stderr):
            said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise EngineFailure(f"{self.name} {arguments[0]} fails: {said}")
        return done.stdout


def launch(box: Box, argv: list[str], bounds: Bounds) -> list[str]:
    """The command line of the launcher in a box."""
    variables = [f"{name}={value}" for name, value in root.environment(box).items()]
    words = attended.launch_words(bounds, STATUS, "-", own_memory=False)
    return [*root.python(box), *words, str(len(variables)), *variables, *argv]


def proven(status: Path, word: str) -> list[str]:
    """The words of the last line of a status file, when process 1 has written it."""
    try:
        with status.open("rb") as file:
            lines = file.read(4096).decode("ascii", "replace").splitlines()
    except OSError:
        return []
    words = lines[-1].split() if lines else []
    return words[1:] if len(words) > 2 and words[0] == word else []


def own(path: Path, user: int) -> None:
    """Make a user the owner of a file, or of a folder with all that is in it."""
    os.lchown(path, user, user)
    if path.is_dir() and not path.is_symlink():
        for parent, names, files in os.walk(path):
            for name in (*names, *files):
                os.lchown(Path(parent, name), user, user)


def image_of(name: str) -> str:
    """The name of the image that is the root of one box."""
    return f"ci-root:{name.lower()}"


def ulimits() -> Iterator[str]:
    """Yield limits that an engine without every privilege may set, as its own defaults are not.

    The kernel counts processes per user, other boxes' too: `--pids-limit` is the one that counts.
    """
    for name, kind, most in (
        ("nofile", resource.RLIMIT_NOFILE, 16_384),
        ("nproc", resource.RLIMIT_NPROC, 32_768),
    ):
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        yield f"{name}={value}:{value}"


def client_environment() -> dict[str, str]:
    """The environment of the engine's client: what it finds its storage and daemon by."""
    names = ("PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "CONTAINERS_CONF", "TMPDIR")
    found = {name: os.environ[name] for name in names if name in os.environ}
    return {"LANG": "C.UTF-8", "PATH": os.defpath} | found
