"""The files in which the web processes of one gunicorn count together.

prometheus_client lets each process write its own files into a folder that a variable names before
the library is loaded. What ended processes have counted must go on counting: their files are added
up in one, so that a process that is replaced again and again leaves nothing behind.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# What grows: its files are summed. A gauge ends with its process.
ADDED_UP = ("counter", "histogram")
ENDED = "ended"
PREFIX = "ci-metrics-"
ALIVE = "alive"
_held: list[int] = []
_shared: Path | None = None


def share(within: str | None) -> None:
    """Let this process and its children count together, in a new folder `within` another one.

    Must come before `metrics` is imported. Called again in the same process it changes nothing.
    """
    global _shared  # noqa: PLW0603  as the library's own variable, one for the whole process
    own = f"{PREFIX}{os.getpid()}-"
    if _shared is not None and _shared.name.startswith(own):
        return
    _shared = _made(own, within)
    os.environ[VARIABLE] = str(_shared)
    _sweep(_shared.parent)


def count_alone() -> None:
    """Let this process count for itself, whatever folder its environment names: it is another
    program's."""
    os.environ.pop(VARIABLE, None)


def are_shared() -> bool:
    """Return whether processes count together here."""
    return _shared is not None


def remove() -> None:
    """Remove the folder that was made: its processes have ended."""
    if _shared is not None:
        shutil.rmtree(_shared, ignore_errors=True)


def _made(prefix: str, within: str | None) -> Path:
    """A new folder, held by this process and those that it forks for as long as one of them
    lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
        held = os.open(folder / ALIVE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(held, fcntl.LOCK_EX)
        if (folder / ALIVE).exists():
            _held.append(held)
            return folder
        # Somebody who swept took it for a dead one's before it was held.
        os.close(held)


def bury(pid: int) -> None:
    """Add what an ended process has counted to what all ended ones have, and remove its files."""
    if not are_shared():
        return
    from prometheus_client.mmap_dict import MmapedDict

    open_file: Any = MmapedDict  # the library declares no types here
    with _locked(fcntl.LOCK_EX):
        for file in _folder().glob(f"*_{pid}.db"):
            kind = file.name.partition("_")[0]
            if kind in ADDED_UP:
                sums = open_file(str(file.with_name(f"{kind}_{ENDED}.db")))
                for key, value, _, _ in open_file.read_all_values_from_file(str(file)):
                    sums.write_value(key, sums.read_value(key)[0] + value, 0.0)
                sums.close()
            file.unlink()


@contextmanager
def kept_still() -> Iterator[None]:
    """No process is buried meanwhile: none counts twice, or not at all."""
    with _locked(fcntl.LOCK_SH):
        yield


def _sweep(within: Path) -> None:
    """Remove the folders of those that were killed and could not do it themselves."""
    for alive in within.glob(f"{PREFIX}*/{ALIVE}"):
        with suppress(OSError), alive.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(alive.parent, ignore_errors=True)


@contextmanager
def _locked(how: int) -> Iterator[None]:
    with (_folder() / "lock").open("ab") as lock:
        fcntl.flock(lock, how)
        yield


def _folder() -> Path:
    if _shared is None:
        raise RuntimeError("processes count alone here")
    return _shared
