"""Decides when a precomputed run summary is fresh: only if no pending mark concerns that run.

A mark concerns a run by its id, by a result of the regression test whose definition changed, or by
an output that came out with (or matched) the hash that is accepted now or no longer. Which runs
that are is asked once in each snapshot; statements that use what is kept leave those runs out of it
(`IS_KEPT`), and derive them (`PENDING`). So no answer is ever stale, whether its marks are settled
or not.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    union,
    union_all,
)
from sqlalchemy.orm import aliased

from database import (
    NO_ID,
    exact,
    fetch,
    fetch_first,
    fetch_values,
    in_this_order,
    snapshot_notes,
    unindexed,
)
from mod_test.models import Result, ResultFile, Run
from mod_test.rollup.tables import OpenRun, RollupMark, RollupState, RunRollup

HASH_LENGTH = 64
KNOWN = "marks"
Version = tuple[int, int]
NONE = (NO_ID,)  # an empty list would cost the database more
# So many runs are derived in an answer before settling them first is quicker.
FEW = 20
OWN, OF_DEFINITION = 0, 1


@dataclass(frozen=True)
class Known:
    """What this snapshot knows of marks: the runs that they concern, or NONE.

    `is_quiet`: no mark waits, and every run is kept; nothing has to be derived. `is_whole`: what is
    kept is what it was when its version began, also of the runs that marks concern; of one that is
    gone, the rows went with it. `version` is that of what is kept, its generation and newest
    change; None where nobody knows. `definitions` is that of regression tests; None also while
    marks of them wait.
    """

    concerned: tuple[int, ...] = NONE
    version: Version | None = None
    is_quiet: bool = False
    is_whole: bool = False
    definitions: Version | None = None


def known() -> Known:
    """What this snapshot knows.

    A unit of work that writes sees its own marks, and others' as they come: it asks every time.
    """
    notes = snapshot_notes()
    found: Known | None = None if notes is None else notes.get(KNOWN)
    if found is None:
        found = Known(tuple(sorted(fetch_values(ALL_CONCERNED))) or NONE)
        if notes is not None:
            notes[KNOWN] = found
    return found


def concerned() -> tuple[int, ...]:
    """The runs that marks of this snapshot concern, or `NONE`."""
    return known().concerned


def first_mark_of_definitions() -> ScalarSelect[int | None]:
    """The first mark that is of no run, but of what many have: tests, and what is accepted."""
    return select(func.min(RollupMark.id)).where(RollupMark.run_id.is_(None)).scalar_subquery()


def version_of_definitions(state: Any) -> Version | None:
    """What a row with the columns `generation`, `definitions_id` and `first_of_definitions` says:
    the version of regression tests; None while a mark of them waits."""
    if not state.generation or state.first_of_definitions is not None:
        return None
    return state.generation, state.definitions_id


CONCERNED: Any = bindparam("concerned_runs", callable_=concerned, expanding=True)
# Whether a row of `RunRollup` may be used.
IS_KEPT: ColumnElement[bool] = RunRollup.test_id.not_in(CONCERNED)
# Every run that is not kept.
PENDING = union(
    select(OpenRun.test_id).where(OpenRun.settled.is_(False)),
    select(Run.id).where(Run.id.in_(CONCERNED)),
).subquery("pending")


def has_hash(file: Any, file_hash: Any) -> ColumnElement[bool]:
    """Whether an output came out with this hash, or matched it as its baseline."""
    return or_(
        exact(func.substr(file.got, 1, HASH_LENGTH)) == exact(file_hash),
        and_(
            file.got.is_(None),
            exact(func.substr(file.expected, 1, HASH_LENGTH)) == exact(file_hash),
        ),
    )


def by_own_marks() -> Select[Any]:
    """The runs that have marks of their own, each once; some may be gone."""
    return select(RollupMark.run_id).where(RollupMark.run_id.is_not(None)).distinct()


def by_definitions() -> tuple[Select[Any], Select[Any]]:
    """The kept runs that marks of regression tests concern, and those that marks of accepted
    hashes concern, each once."""
    mark, result = aliased(RollupMark), aliased(Result)
    of_tests = (
        select(RunRollup.test_id)
        .select_from(mark)
        .join(result, result.regression_test_id == unindexed(mark.regression_id))
        .where(mark.regression_id.is_not(None))
    )
    accepted, file = aliased(RollupMark), aliased(ResultFile)
    of_hashes = (
        select(RunRollup.test_id)
        .select_from(accepted)
        .join(
            file,
            and_(
                file.regression_test_output_id == unindexed(accepted.output_id),
                has_hash(file, accepted.file_hash),
            ),
        )
        .where(accepted.output_id.is_not(None))
    )
    return _rolled_up(of_tests, result.test_id), _rolled_up(of_hashes, file.test_id)


def _rolled_up(marked: Select[Any], run_id: Any) -> Select[Any]:
    """The databases begin with the marks, which are few, whatever they guess."""
    found = marked.join(RunRollup, RunRollup.test_id == unindexed(run_id)).distinct()
    return in_this_order(found)


ALL_CONCERNED = union(by_own_marks(), *by_definitions())


def _what_waits() -> CompoundSelect[Any]:
    """The runs that marks concern, with the reason why and whether they are rolled up."""
    own = by_own_marks().subquery("own")
    is_rolled_up = exists().where(RunRollup.test_id == own.c.run_id)
    found = [select(literal(OWN).label("why"), own.c.run_id, is_rolled_up.label("is_rolled_up"))]
    for runs in by_definitions():
        few = runs.limit(FEW + 1).subquery()
        found.append(select(literal(OF_DEFINITION), few.c.test_id, true()))
    return union_all(*found)


WHAT_WAITS = _what_waits()
# Every read asks this first: the versions, the first mark and the first that is of no run, and
# whether (0) some run is not settled.
_LOOK = (
    select(
        RollupState.generation,
        RollupState.change_id,
        RollupState.definitions_id,
        select(func.min(RollupMark.id)).scalar_subquery().label("first_mark"),
        first_mark_of_definitions().label("first_of_definitions"),
        select(func.min(OpenRun.settled)).scalar_subquery().label("are_settled"),
    )
    .select_from(select(literal(1)).subquery("one_row"))
    .outerjoin(RollupState, RollupState.id == 1)
)


def look() -> tuple[bool, bool]:
    """Find the marks that this snapshot sees, for `known` to tell, and return two facts: marks of
    definitions concern so many runs that deriving them would be slow; some mark waits."""
    state = fetch_first(_LOOK)
    version = (state.generation, state.change_id) if state.generation else None
    definitions = version_of_definitions(state)
    is_slow, waits = False, state.generation is None or state.first_mark is not None
    if waits:
        rows = fetch(WHAT_WAITS)
        runs, by_definition = set(), set()
        for row in rows:
            runs.add(row.run_id)
            if row.why == OF_DEFINITION:
                by_definition.add(row.run_id)
        is_slow = len(by_definition) > FEW
        is_whole = all(row.is_rolled_up for row in rows)
        found = Known(tuple(sorted(runs)) or NONE, version, False, is_whole, definitions)
    else:
        # Without a mark, and with every run kept, nothing else is asked. Where nothing marks what
        # changes (generation 0), no run is kept, and nobody has anything to settle.
        is_quiet = version is not None and state.are_settled in (None, 1)
        found = Known(NONE, version, is_quiet, True, definitions)
    notes = snapshot_notes()
    if notes is not None and not is_slow:
        notes[KNOWN] = found
    return is_slow, waits
