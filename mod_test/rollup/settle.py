"""Applies pending marks: derives affected runs under a lock, in the snapshot that saw the marks."""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import structlog
from sqlalchemy import (
    CursorResult,
    Integer,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from database import db, execute, fetch, log_failure, reading, utc_now, writing
from mod_test.models import Progress, RunRecord
from mod_test.rollup import derive, kept, triggers
from mod_test.rollup.kept import by_own_marks
from mod_test.rollup.tables import (
    CHANGES_KEPT,
    PROGRESS_UNDONE,
    RollupChange,
    RollupMark,
    RollupState,
)

log = structlog.get_logger("rollup")
# What a step takes: so many marks, and those that concern so many runs by themselves.
MARKS_AT_ONCE, RUNS_AT_ONCE = 5000, 200
PATIENCE = 5  # seconds
NOTHING = 2**31 - 1  # no ended run has changed


@contextmanager
def settled_reading() -> Iterator[bool]:
    """One unit of work that reads one snapshot; gives whether marks wait to be settled.

    Marks that concern many runs (an approval, a changed test) are settled first, since deriving
    all of them would be slow. The others can wait until the answer is sent.
    """
    with reading():
        must, may = kept.look()
        if not must:
            yield may
            return
    try:
        settle_marks(of_definitions=True)
    except Exception as error:  # noqa: BLE001  what is marked is derived
        log_failure(log, "marks_not_settled", error)
    with reading():
        yield True


@contextmanager
def settling() -> Iterator[None]:
    """One unit of work that begins by settling every mark that it sees."""
    _settle_in_steps(of_definitions=False, waits=True, patience=None)
    with writing(snapshot=True):
        while settle():
            pass
        yield


def settle_marks(*, of_definitions: bool = False, waits: bool = True) -> None:
    """Settle every mark, or those of definitions and hashes only, in as many steps as it takes.

    Each is a unit of work of its own: what one has done stays, whatever becomes of the next.

    Where somebody else is settling, it waits for that or, unless it `waits`, leaves it at that.
    Raises DBAPIError where others hold what it needs: it gives way soon, since it can be done later
    and whoever waits for it holds up an answer.
    """
    patience = PATIENCE if waits else 1
    _settle_in_steps(of_definitions=of_definitions, waits=waits, patience=patience)


def _settle_in_steps(*, of_definitions: bool, waits: bool, patience: int | None) -> None:
    more = True
    while more:
        with writing(snapshot=True, patience=patience):
            more = settle(of_definitions=of_definitions, waits=waits)


def _new_generation(*, marks_are_made: bool) -> int:
    """A number that was never used; 0, which says nothing, where changes are not marked."""
    return secrets.randbits(62) | 1 if marks_are_made else 0


def begin_generation(*, marks_are_made: bool) -> None:
    """Say that what is kept begins anew."""
    values = {"generation": _new_generation(marks_are_made=marks_are_made)}
    db.session.execute(update(RollupState).where(RollupState.id == 1).values(values))


def write_down_change(lowest: int, *, of_definitions: bool = False) -> None:
    """Say that what is kept has changed, of ended runs from this one on, and whether regression
    tests have; under the lock."""
    change = insert(RollupChange).values(lowest=lowest)
    change_id = cast("CursorResult[Any]", db.session.execute(change)).lastrowid
    values = {"change_id": change_id}
    if of_definitions:
        # No number that counts: after a restore it would come again, for other definitions.
        values["definitions_id"] = secrets.randbits(62)
    db.session.execute(update(RollupState).where(RollupState.id == 1).values(values))
    if change_id % CHANGES_KEPT == 0:
        old = delete(RollupChange).where(RollupChange.id <= change_id - CHANGES_KEPT)
        db.session.execute(old.execution_options(synchronize_session=False))


def _lock(*, waits: bool) -> bool:
    """Lock the state; False where somebody else has it and nobody is to wait."""
    row = select(RollupState.id).where(RollupState.id == 1)
    locking = row.with_for_update(skip_locked=not waits)
    if db.session.scalar(locking) is not None:
        return True
    if not waits and db.session.scalar(row) is not None:
        return False
    try:
        with db.session.begin_nested():
            complete = triggers.are_complete(db.session.connection())
            values = {"id": 1, "generation": _new_generation(marks_are_made=complete)}
            db.session.execute(insert(RollupState).values(values))
    except IntegrityError:
        if not waits:  # what this has read so far is older than what the other one writes
            return False
        db.session.scalar(locking)
    return True


def _forget_marks() -> None:
    """Drop what is marked where changes are marked no more: nothing may be kept there."""
    db.session.execute(delete(RollupMark).execution_options(synchronize_session=False))


def _end_leases(restarted: set[int]) -> None:
    """Of runs whose progress is gone: whoever held one has lost it, and it waits. The marks that
    say so go; from then on their records do.

    Which they are is read in the snapshot, locking nothing. Who has taken one since has written
    other progress.
    """
    for batch in derive.batches(sorted(restarted), 1000):
        held = db.session.execute(
            select(RunRecord.test_id, RunRecord.held_progress_id).where(
                RunRecord.test_id.in_(batch),
                RunRecord.lease_expires_at >= utc_now(),
                ~exists().where(Progress.test_id == RunRecord.test_id),
            )
        ).all()
        for run_id, progress_id in held:
            db.session.execute(
                update(RunRecord)
                .where(
                    RunRecord.test_id == run_id,
                    RunRecord.held_progress_id == progress_id,
                    RunRecord.lease_expires_at >= utc_now(),
                )
                .values(lease_expires_at=utc_now())
                .execution_options(synchronize_session=False)
            )


def _forget(marks: Iterable[int]) -> None:
    """Drop marks one by one.

    For a list of them MariaDB reads the whole of so small a table, waits for marks that others have
    not committed, and until this commits lets nobody insert another: every program that writes
    anything of a run would stand still.
    """
    execute(_FORGET, [{"mark_id": mark_id} for mark_id in marks])


_FORGET = (
    delete(RollupMark)
    .where(RollupMark.id == bindparam("mark_id"))
    .execution_options(synchronize_session=False)
)


def settle(*, of_definitions: bool = False, waits: bool = True) -> bool:
    """Consume marks that this snapshot sees, or those of definitions only, as many as a step takes;
    whether there are more.

    Begin a writing unit of work right before: the lock must come before the snapshot.
    """
    if not _lock(waits=waits):
        return False
    if not db.session.scalar(select(RollupState.generation).where(RollupState.id == 1)):
        _forget_marks()
        return False
    marks = fetch(_OF_DEFINITIONS if of_definitions else _FIRST, {"most": MARKS_AT_ONCE})
    if not marks:
        return False
    own = sorted({mark.run_id for mark in marks if mark.run_id is not None})
    runs = set(own[:RUNS_AT_ONCE])
    # A run is derived as a whole, whichever mark says so: with the first one go all of its marks.
    of_runs = fetch(_OF_RUNS, {"ids": sorted(runs)}) if runs else []
    of_tests = [mark for mark in marks if mark.run_id is None]
    definitions = {mark.regression_id for mark in of_tests if mark.regression_id is not None}
    hashes = {(mark.output_id, mark.file_hash) for mark in of_tests if mark.output_id is not None}
    pairs = derive.results_of_definitions(definitions) if definitions else set()
    pairs |= derive.results_of_hashes(hashes)
    # Of a run that goes on, single results are not kept.
    runs |= derive.going_on({run_id for run_id, _ in pairs})
    lowest = derive.roll_up(runs)
    _end_leases({mark.run_id for mark in of_runs if mark.kind == PROGRESS_UNDONE})
    pairs = {pair for pair in pairs if pair[0] not in runs}
    # A run with marks of its own is derived as a whole when those are consumed. Until then its
    # results are not those that its rollup was made of: one may have come for a skipped test.
    whole = set(db.session.scalars(by_own_marks())) if pairs else set()
    lowest += derive.derive_results({pair for pair in pairs if pair[0] not in whole})
    _forget(mark.id for mark in (*of_runs, *of_tests))
    write_down_change(min(lowest, default=NOTHING), of_definitions=bool(of_tests))
    return len(marks) == MARKS_AT_ONCE or len(own) > RUNS_AT_ONCE


_MARKS = select(
    RollupMark.id,
    RollupMark.kind,
    RollupMark.run_id,
    RollupMark.regression_id,
    RollupMark.output_id,
    RollupMark.file_hash,
)
_FIRST = _MARKS.order_by(RollupMark.id).limit(bindparam("most", type_=Integer))
_OF_DEFINITIONS = _FIRST.where(RollupMark.run_id.is_(None))
_OF_RUNS = _MARKS.where(RollupMark.run_id.in_(bindparam("ids", expanding=True)))
