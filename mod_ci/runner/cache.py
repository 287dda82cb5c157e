"""What a runner keeps between runs, in folders of one work folder, bounded in size.

work-dir/
  lock            held by the one runner that works here
  git/            mirrors
  builds/         by commit (or merged tree) and command
  samples/        by SHA-256
  packages/       of jobs: pytest, and trees by the hash of requirement files
  runs/           what the run or job of this moment needs; emptied at each start
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.folders import remove, size_within


class WorkDirTaken(Exception):
    """Another runner works in the folder."""


@dataclass(frozen=True)
class WorkDir:
    """The work folder and its parts."""

    path: Path

    @property
    def mirrors(self) -> Path:
        """The git mirrors."""
        return self.path / "git"

    @property
    def builds(self) -> Path:
        """The builds."""
        return self.path / "builds"

    @property
    def samples(self) -> Path:
        """The samples."""
        return self.path / "samples"

    @property
    def packages(self) -> Path:
        """Trees of packages for jobs."""
        return self.path / "packages"

    @property
    def runs(self) -> Path:
        """The run of this moment."""
        return self.path / "runs"


@contextmanager
def taken(path: Path) -> Iterator[WorkDir]:
    """The work folder, made where needed and ours alone; raises WorkDirTaken and OSError.

    Two runners in one folder would evict and clean up what the other is using.
    """
    work = WorkDir(path.resolve())
    for folder in (work.path, work.mirrors, work.builds, work.samples, work.packages, work.runs):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (work.path / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorkDirTaken(f"another runner works in {work.path}") from error
        for left in work.runs.iterdir():
            remove(left)  # of a runner that was killed
        yield work


def keep_within(work: WorkDir, most_bytes: int) -> list[str]:
    """Remove what was not used for longest until the rest fits; returns the names removed.

    Only between runs: nothing is in use then.
    """
    entries = []
    for folder in (work.mirrors, work.builds, work.samples, work.packages):
        for path in folder.iterdir():
            size = size_of(path)
            entries.append((path.lstat().st_mtime, size, path))
    total = sum(size for _, size, _ in entries)
    removed = []
    for _, size, path in sorted(entries):
        if total <= most_bytes:
            break
        remove(path)
        removed.append(path.name)
        total -= size
    return removed


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    if not path.is_dir():
        return path.lstat().st_size
    return size_within(path, most_bytes=1 << 62, most_files=1 << 62) or 0
