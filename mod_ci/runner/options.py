"""What a runner is told when it is started."""

from dataclasses import dataclass
from pathlib import Path

from mod_ci.runner.cache import WorkDir
from mod_ci.runner.engines.model import Engine
from mod_ci.runner.limits import Limits
from mod_ci.runner.sandbox import Sandbox


@dataclass(frozen=True)
class Options:
    """All that is configured; see `python -m mod_ci.runner --help`.

    Where runs are taken, exactly one of build (a shell command) and extractor (a path) is
    given; where jobs are, engine makes their boxes. kinds: what is taken. cache_bytes:
    how much of all caches together stays between runs. once: one run. drain: until
    nothing is queued.
    """

    server: str
    token_file: Path
    name: str
    platform: str
    work: WorkDir
    limits: Limits
    build: str | None = None
    extractor: Path | None = None
    build_time_s: float = 1800.0
    build_writable: tuple[Path, ...] = ()
    jobs: int = 1
    cache_bytes: int = 20 << 30
    once: bool = False
    drain: bool = False
    sandbox: Sandbox | None = None
    kinds: tuple[str, ...] = ("run",)
    engine: Engine | None = None
