"""What the runner and its engines say to each other: a box, its bounds, its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from mod_ci.runner.contained import HostFailure

Outcome = Literal[
    "exited",
    "signaled",
    "time_limit",
    "memory_limit",
    "process_limit",
    "output_limit",
    "disk_limit",
    "stopped",
]
Line = Callable[[bytes], None]

# The labels by which an engine knows its boxes again.
NAMESPACE, RUNNER, ATTEMPT = "ci.namespace", "ci.runner", "ci.attempt"


class EngineFailure(HostFailure):
    """This host could not run a box to an end that is known: no verdict on what was in it."""


class ImageMissing(EngineFailure):
    """The image that a box asks for is not on this host; none is ever fetched."""


class EngineMissing(Exception):
    """The engine that was asked for does not work here. Says why, in one sentence."""


class Stop(Protocol):
    """Says that a box is to be stopped: a `threading.Event` does."""

    def is_set(self) -> bool:
        """Return whether to stop."""


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host and the absolute path where a box sees it.

    Targets do not lie in each other. Below `/job` no engine ever has anything of its own.
    """

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Box:
    """A place to run one program in, which sees nothing but what is named here.

    name: unique on this host. labels: `ci.namespace`, `ci.runner`, `ci.attempt`. image: a
    name, or None for the host's system folders and the runner's Python. environment: all
    that the program gets; PATH, HOME and LANG have defaults. folder: where it starts.
    """

    name: str
    labels: Mapping[str, str]
    image: str | None = None
    mounts: tuple[Mount, ...] = ()
    network: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"


@dataclass(frozen=True)
class Bounds:
    """Limits of all that runs in a box, together.

    output_bytes: of what it prints. disk_bytes: of the files in its writable mounts and
    in its private `/tmp`, those included that were there before.
    """

    time_s: float
    memory_bytes: int
    cpus: float
    processes: int
    output_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class End:
    """How the program in a box ended.

    exit_code: when it exited. signal: the name of the signal that ended it. `stopped`
    means that `stop` was set.
    """

    outcome: Outcome
    exit_code: int | None = None
    signal: str | None = None


class Engine(Protocol):
    """Starts boxes."""

    name: str

    def probe(self) -> str | None:
        """Try one real box: None when its limits hold and it is shut, else one sentence why not."""

    def run(self, box: Box, argv: list[str], bounds: Bounds, *, line: Line, stop: Stop) -> End:
        """Run a program in a new box to its end; nothing of the box is left on return.

        `line` is called from this thread with each line that the program prints, on either
        output, without its newline; a longer one than 64 KiB comes in pieces. Raises
        EngineFailure when nobody knows how the program ended.
        """

    def leftovers(self, namespace: str, runner: str) -> list[str]:
        """Name the boxes of a namespace and runner that nobody in this process runs."""

    def remove(self, name: str) -> None:
        """End a box, if it still runs, and remove all that is left of it."""
