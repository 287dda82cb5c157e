"""What was computed of what is kept, remembered while it holds.

What is kept has a version, another one after each change (`RollupState`). While no mark waits it
alone says what a statement of kept rows gives: counting 20,000 of them again for each page of a
list would cost more than the page (`remembered`).

While runs are executed the version changes all the time, but only the newest runs do. A change says
from which run on (`RollupChange`): what depends on older runs alone still holds (`recalled`).

Every process remembers for itself, and none can be wrong: version and changes are read in the
snapshot that is answered from.
"""

import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, select

from database import db, fetch
from database.newest import Newest
from mod_test.rollup.kept import NONE, Known
from mod_test.rollup.tables import CHANGES_KEPT, RollupChange

T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)
MOST_VALUES, MOST_OF_RUNS = 2048, 20_000
EVERYTHING = 0  # a change of this run and of all others


class _Changes:
    """The newest changes of what is kept, by their ids: the lowest run of each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lowest: dict[int, int] = {}

    def lowest_between(self, one: int, other: int) -> int:
        """The lowest run that has changed from the one change to the other, later or earlier."""
        first, last = sorted((one, other))
        if last - first > CHANGES_KEPT:
            return EVERYTHING
        with self._lock:
            known = last in self._lowest
        if not known:
            rows = fetch(_BETWEEN, {"first": first, "last": last})
            with self._lock:
                self._lowest |= dict(rows)
                for change_id in sorted(self._lowest)[: -2 * CHANGES_KEPT]:
                    del self._lowest[change_id]
        with self._lock:
            return min(self._lowest.get(each, EVERYTHING) for each in range(first + 1, last + 1))


_BETWEEN = select(RollupChange.id, RollupChange.lowest).where(
    RollupChange.id > bindparam("first"), RollupChange.id <= bindparam("last")
)


class _Memory:
    """What this process remembers of one generation of what is kept."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.changes = _Changes()
        self.of_versions: Newest[Hashable, tuple[Any]] = Newest(MOST_VALUES)
        self.of_runs: Newest[Hashable, tuple[int, Any]] = Newest(MOST_OF_RUNS)


_memories: "WeakKeyDictionary[Engine, _Memory]" = WeakKeyDictionary()


def _memory(generation: int) -> _Memory:
    found = _memories.get(db.engine)
    if found is None or found.generation != generation:
        found = _memories[db.engine] = _Memory(generation)
    return found


def remembered(
    known: Known, key: Hashable, compute: Callable[[], T], *, also_marked: bool = False
) -> T:
    """What `compute` gives for this key at this version of what is kept, while nothing else is to
    be looked at; `also_marked`: it looks at what is kept only, marked or not."""
    may = known.is_whole if also_marked else known.is_quiet
    if known.version is None or not may:
        return compute()
    generation, change = known.version
    values, place = _memory(generation).of_versions, (change, key)
    found = values.get(place)
    if found is None:
        found = (compute(),)
        values.keep(place, found)
    value: T = found[0]
    return value


def recalled(known: Known, keys: Mapping[Key, int]) -> dict[Key, Any]:
    """What was noted for these keys and still holds; each with the newest run that its value
    depends on: on that one and any older."""
    if known.version is None:
        return {}
    generation, now = known.version
    memory = _memory(generation)
    marked = _first_marked(known)
    found: dict[Key, Any] = {}
    for key, newest in keys.items():
        noted = memory.of_runs.get(key)
        if noted is None or marked <= newest:
            continue
        then, value = noted
        if then != now:
            if memory.changes.lowest_between(then, now) <= newest:
                continue
            memory.of_runs.keep(key, (now, value))
        found[key] = value
    return found


def note(known: Known, values: Iterable[tuple[Hashable, int, Any]]) -> None:
    """Note values for `recalled`: of keys, each with the newest run that its value depends on."""
    if known.version is None:
        return
    generation, now = known.version
    memory = _memory(generation)
    marked = _first_marked(known)
    for key, newest, value in values:
        if newest < marked:
            memory.of_runs.keep(key, (now, value))


def _first_marked(known: Known) -> float:
    """The lowest run that a mark concerns."""
    return min((run for run in known.concerned if run not in NONE), default=float("inf"))
