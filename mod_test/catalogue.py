"""What is read of regression tests, their samples and labels, remembered while none changes.

There are hundreds of tests, and of each run a claim and a page read what they are. Every process
remembers for itself; the version says what still holds (`RollupState`): it is read in the snapshot
that is answered from, like everything else, and while a mark waits nothing is remembered.
"""

from collections.abc import Callable, Collection, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, select

from database import db, fetch, fetch_first, fetch_values, snapshot_notes
from database.newest import Newest
from mod_regression.definitions import Definition, definitions_of
from mod_regression.models import RegressionTest
from mod_sample.tags import tags_of
from mod_test.rollup import kept
from mod_test.rollup.kept import Version
from mod_test.rollup.tables import RollupState, RunSetMember

T = TypeVar("T")
MOST_VALUES = 1000


class _Memory:
    """What this process remembers of one version of the regression tests."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.by_id: dict[str, dict[int, Any]] = {"tests": {}, "tags": {}}
        # What clients ask for must not push out what claims and pages need all the time.
        self.values: Newest[Hashable, tuple[Any]] = Newest(MOST_VALUES)
        self.asked: Newest[Hashable, tuple[Any]] = Newest(MOST_VALUES)


_memories: "WeakKeyDictionary[Engine, _Memory]" = WeakKeyDictionary()
# What `kept.version_of_definitions` makes the version of.
VERSION_COLUMNS: tuple[Any, ...] = (
    RollupState.generation,
    RollupState.definitions_id,
    kept.first_mark_of_definitions().label("first_of_definitions"),
)
_VERSION = select(*VERSION_COLUMNS).where(RollupState.id == 1)
_known: ContextVar[tuple[Version | None] | None] = ContextVar("definitions", default=None)


@contextmanager
def as_of(version: Version | None) -> Iterator[None]:
    """What is remembered is answered as of this version, which was read a moment ago."""
    token = _known.set((version,))
    try:
        yield
    finally:
        _known.reset(token)


def _version() -> Version | None:
    """The version of this snapshot; where none is read the one that is known, or that of now."""
    if snapshot_notes() is not None:
        return kept.known().definitions
    known = _known.get()
    return _version_of_now() if known is None else known[0]


def _version_of_now() -> Version | None:
    state = fetch_first(_VERSION)
    return None if state is None else kept.version_of_definitions(state)


def _memory(version: Version | None) -> _Memory | None:
    if version is None:
        return None
    found = _memories.get(db.engine)
    if found is not None and found.version == version:
        return found
    found = _memories[db.engine] = _Memory(version)
    return found


def _may_keep(version: Version) -> bool:
    """Whether what was just read belongs to this version: outside of a snapshot it may be newer."""
    return snapshot_notes() is not None or _version_of_now() == version


def definitions(regression_ids: Collection[int]) -> dict[int, Definition]:
    """The definitions of those of these tests that there are, by id."""
    return _each("tests", regression_ids, definitions_of)


def tags(sample_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """The tags of each of these samples, by id."""

    def read(missing: Collection[int]) -> dict[int, tuple[str, ...]]:
        found = tags_of(missing)
        return {sample_id: tuple(found.get(sample_id, ())) for sample_id in missing}

    return _each("tags", sample_ids, read)


def samples() -> dict[int, int]:
    """The sample of each regression test that has one."""
    return remembered("samples", lambda: dict(fetch(_SAMPLES)))


def tests_of_samples() -> dict[int, tuple[int, ...]]:
    """The regression tests of each sample that has some, by id."""
    return remembered("tests of samples", _by_sample)


def _by_sample() -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {}
    for test, sample_id in sorted(samples().items()):
        found.setdefault(sample_id, []).append(test)
    return {sample_id: tuple(tests) for sample_id, tests in found.items()}


_SAMPLES = select(RegressionTest.id, RegressionTest.sample_id).where(
    RegressionTest.sample_id.is_not(None)
)


def _each(
    kind: str, ids: Collection[int], read: Callable[[Collection[int]], dict[int, T]]
) -> dict[int, T]:
    """What there is of each of these ids; what is not remembered is read."""
    memory = _memory(_version())
    if memory is None:
        return read(ids)
    known: dict[int, T] = memory.by_id[kind]
    missing = [each for each in ids if each not in known]
    if not missing:
        return {each: known[each] for each in ids}
    found = {each: known[each] for each in ids if each in known}
    new = read(missing)
    if _may_keep(memory.version):
        known.update(new)
    return found | new


def remembered(key: Hashable, compute: Callable[[], T], *, is_asked: bool = False) -> T:
    """What `compute` gives, which depends on what is marked only: on regression tests with their
    labels and samples. `is_asked`: the key holds what a client asked for."""
    memory = _memory(_version())
    if memory is None:
        return compute()
    values = memory.asked if is_asked else memory.values
    found = values.get(key)
    if found is None:
        found = (compute(),)
        if _may_keep(memory.version):
            values.keep(key, found)
    value: T = found[0]
    return value


def members_of_set(set_id: int) -> frozenset[int]:
    """The regression tests of a set that is kept: it never has others."""
    return remembered(("set", set_id), lambda: _members(set_id))


def _members(set_id: int) -> frozenset[int]:
    return frozenset(fetch_values(_MEMBERS, {"set_id": set_id}))


_MEMBERS = select(RunSetMember.regression_test_id).where(RunSetMember.set_id == bindparam("set_id"))
