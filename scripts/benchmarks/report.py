"""What was measured, as a table and as a file that a later run is held against."""

import json
from argparse import ArgumentTypeError
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from scripts.benchmarks.operations import Line
from scripts.benchmarks.sizes import SIZES

MOST_STATEMENTS = 6
MOST_GROWTH = 1.3
MATCHES_PER_MS = 5000  # an exact total of many matches may take 1 ms for so many of them


@dataclass(frozen=True)
class Measured:
    """A line's figures: times in ms, sizes in bytes.

    `reference` is the raw query's p50 where there is one, `small` the p50 at the smaller size, and
    `total` how many rows matched. `same` is the p50 of a page of as many rows as the smaller size
    has, where that has fewer.
    """

    name: str
    bare: float
    p50: float
    p95: float
    size: int
    statements: int
    bound: float
    total: int | None = None
    reference: float | None = None
    small: float | None = None
    small_total: int | None = None
    same: float | None = None

    @property
    def over(self) -> float:
        """What it costs above a bare route, p50."""
        return self.p50 - self.bare

    @property
    def growth(self) -> float | None:
        """How many times the smaller size as many rows cost, without what exact totals may cost."""
        if self.small is None:
            return None
        more = max(0, (self.total or 0) - (self.small_total or 0))
        as_many = self.p50 if self.same is None else self.same
        return (as_many - more / MATCHES_PER_MS) / self.small

    @property
    def broken(self) -> list[str]:
        """The bounds that it breaks."""
        found = []
        if self.over > self.bound:
            found.append("slow")
        if self.statements > MOST_STATEMENTS:
            found.append("SQL")
        if self.growth is not None and self.growth > MOST_GROWTH:
            found.append("grows")
        return found


def measured(
    line: Line, *, bare: float, p50: float, p95: float, size: int, statements: int, **more: object
) -> Measured:
    """The figures of a line."""
    known = {"name": line.name, "bound": line.kind.bound_ms, **more}
    figures = {"bare": bare, "p50": p50, "p95": p95, "size": size, "statements": statements}
    return Measured(**known, **figures)  # type: ignore[arg-type]  # each by its name


HEAD = (
    f"{'GET':58} {'bare':>6} {'ref':>7} {'p50':>8} {'p95':>8} {'over':>8} {'bound':>5} "
    f"{'bytes':>8} {'SQL':>4} {'small':>8} {'same':>8} {'ratio':>6} {'then':>6}  breaks"
)


def row(found: Measured, before: Measured | None) -> str:
    """One line of the table; `then` is the ratio with an earlier run, above the bare route."""
    then = None if before is None else found.over / max(0.1, before.over)
    name = found.name if len(found.name) <= 58 else found.name[:57] + "…"
    return (
        f"{name:58} {found.bare:6.2f} {_or_empty(found.reference, 7)} {found.p50:8.2f} "
        f"{found.p95:8.2f} {found.over:8.2f} {found.bound:5.0f} {found.size:8d} "
        f"{found.statements:4d} {_or_empty(found.small, 8)} {_or_empty(found.same, 8)} "
        f"{_or_empty(found.growth, 6)} {_or_empty(then, 6)}  {', '.join(found.broken)}"
    )


def summary(found: list[Measured]) -> str:
    """How many lines keep their bounds, and the slowest ones."""
    broken = [each for each in found if each.broken]
    lines = [f"\n{len(found) - len(broken)} of {len(found)} lines keep their bounds."]
    if broken:
        lines.append("The furthest above theirs:")
        worst = sorted(broken, key=lambda each: each.over / each.bound, reverse=True)[:15]
        lines += [f"  {each.over:9.1f} ms over bare  {each.name}" for each in worst]
    return "\n".join(lines)


def save(path: Path, found: Iterable[Measured], about: dict[str, str]) -> None:
    """Keep a measurement for later comparison."""
    kept = {"about": about, "lines": [asdict(each) for each in found]}
    path.write_text(json.dumps(kept, indent=1) + "\n")


@dataclass(frozen=True)
class Saved:
    """An earlier measurement: what was measured, and its figures by the names of their lines."""

    about: dict[str, str]
    lines: dict[str, Measured]

    @property
    def of(self) -> tuple[str, str]:
        """The size that was measured, the larger of two, and the kind of its database."""
        size, url = [known for known in self.about.items() if known[0] in SIZES][-1]
        return size, make_url(url).get_backend_name()


def saved(name: str) -> Saved:
    """Reads an earlier measurement."""
    try:
        kept = json.loads(Path(name).read_text())
        lines = [Measured(**line) for line in kept["lines"]]
        found = Saved(kept["about"], {line.name: line for line in lines})
        found.of  # noqa: B018  that it can be told
    except OSError as error:
        raise ArgumentTypeError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        raise ArgumentTypeError(f"{name} holds no figures of `measure`") from None
    return found


def _or_empty(value: float | None, width: int) -> str:
    return " " * width if value is None else f"{value:{width}.2f}"
