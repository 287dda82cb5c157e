"""How large the databases are. What happened in a run depends on its number only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Runs, regression tests that each of them has, and how many of the newest have not ended."""

    name: str
    runs: int
    tests: int
    queued: int = 12
    running: int = 8


SIZES = {
    size.name: size
    for size in (
        Size("tiny", 12, 20, queued=2, running=1),
        Size("small", 250, 240),
        Size("medium", 2_000, 250),
        Size("large", 20_000, 250),
    )
}
