"""What was measured, as a table and as a file that a later run is held against."""

import json
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.operations import Line
from bench.sizes import SIZES

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
    most_statements: int
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
    def by_reference(self) -> float | None:
        """Return how many times the reference it costs, p50."""
        return None if self.reference is None else self.p50 / self.reference

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
        if self.statements > self.most_statements:
            found.append("SQL")
        if self.growth is not None and self.growth > MOST_GROWTH:
            found.append("grows")
        return found


def measured(
    line: Line, *, bare: float, p50: float, p95: float, size: int, statements: int, **more: object
) -> Measured:
    """The figures of a line."""
    kind = line.kind
    known = {"name": line.name, "bound": kind.bound_ms, "most_statements": kind.most_statements}
    known |= more
    figures = {"bare": bare, "p50": p50, "p95": p95, "size": size, "statements": statements}
    return Measured(**known, **figures)  # type: ignore[arg-type]  # each by its name


@dataclass(frozen=True)
class Column:
    """A column of the table: its head, and how its numbers are shown."""

    head: str
    value: Callable[[Measured], float | None]
    width: int = 7
    shape: str = ".2f"

    def shown(self, found: Measured) -> str:
        value = self.value(found)
        return " " * self.width if value is None else f"{value:{self.width}{self.shape}}"


NAME_WIDTH = 58
COLUMNS = (
    Column("bare", lambda found: found.bare, 6),
    Column("ref", lambda found: found.reference),
    Column("p50", lambda found: found.p50),
    Column("p95", lambda found: found.p95),
    Column("/bare", lambda found: found.p50 / found.bare, 6, ".1f"),
    Column("/ref", lambda found: found.by_reference, 6),
    Column("over", lambda found: found.over),
    Column("bound", lambda found: found.bound, 5, ".0f"),
    Column("bytes", lambda found: found.size, 7, "d"),
    Column("SQL", lambda found: found.statements, 3, "d"),
)
OF_TWO_SIZES = (
    Column("small", lambda found: found.small),
    Column("same", lambda found: found.same),
    Column("ratio", lambda found: found.growth, 6),
)


class Table:
    """The figures as text, line by line, with the columns that this measurement fills."""

    def __init__(self, *, two_sizes: bool, before: Mapping[str, Measured] | None) -> None:
        self.columns = COLUMNS + (OF_TWO_SIZES if two_sizes else ())
        if before is not None:
            self.columns += (Column("then", lambda found: _then(found, before), 6),)

    @property
    def head(self) -> str:
        heads = [f"{column.head:>{column.width}}" for column in self.columns]
        return " ".join([f"{'GET':{NAME_WIDTH}}", *heads, " breaks"])

    def row(self, found: Measured) -> str:
        is_short = len(found.name) <= NAME_WIDTH
        name = found.name if is_short else found.name[: NAME_WIDTH - 1] + "…"
        numbers = [column.shown(found) for column in self.columns]
        return " ".join([f"{name:{NAME_WIDTH}}", *numbers, f" {', '.join(found.broken)}"])


def _then(found: Measured, before: Mapping[str, Measured]) -> float | None:
    """The ratio with an earlier run, above the bare route."""
    earlier = before.get(found.name)
    return None if earlier is None else found.over / max(0.1, earlier.over)


def summary(found: list[Measured]) -> str:
    """Return how many lines keep their bounds, and the slowest ones."""
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
    """An earlier measurement: the size that was measured and the kind of its database, and its
    figures by the names of their lines."""

    of: tuple[str, str]
    lines: dict[str, Measured]


def saved(name: str) -> Saved:
    """Reads an earlier measurement."""
    try:
        kept = json.loads(Path(name).read_text())
        lines = [Measured(**line) for line in kept["lines"]]
        return Saved(_subject(kept["about"]), {line.name: line for line in lines})
    except OSError as error:
        raise ArgumentTypeError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        raise ArgumentTypeError(f"{name} holds no figures of `measure`") from None


def _subject(about: Mapping[str, str]) -> tuple[str, str]:
    """The size that was measured, the larger of two, and the kind of its database."""
    size, url = [known for known in about.items() if known[0] in SIZES][-1]
    return size, make_url(url).get_backend_name()
