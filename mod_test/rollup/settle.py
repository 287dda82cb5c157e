"""Settling: what the marks say is derived anew, under a lock, in the snapshot that saw them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import CompoundSelect, delete, exists, func, insert, literal, or_, select, union_all
from sqlalchemy.exc import DBAPIError, IntegrityError

from database import db, fetch, reading, writing
from mod_test.rollup import derive
from mod_test.rollup.kept import by_definitions, by_own_marks, remember
from mod_test.rollup.tables import OpenRun, RollupMark, RollupState

log = structlog.get_logger("rollup")
AT_ONCE = 5000
# Marks of open runs change no answer; they are tidied away when there are many.
MANY = 2000
# So many runs are derived in an answer before settling them first is quicker.
FEW = 20
PATIENCE = 5  # seconds
OWN, OF_DEFINITION, MATTERS = 0, 1, 2
WITH_OWN_MARKS = select(RollupMark.run_id).where(RollupMark.run_id.is_not(None)).distinct()


@contextmanager
def settled_reading() -> Iterator[bool]:
    """One unit of work that reads one snapshot; gives whether marks wait to be settled.

    Marks that concern many runs (an approval, a changed test) are settled first, since deriving
    all of them would be slow. The others can wait until the answer is sent.
    """
    with reading():
        must, may = _look()
        if not must:
            yield may
            return
    try:
        settle_marks(of_definitions=True)
    except DBAPIError:
        # Somebody holds a row for long, or has deleted a run meanwhile: what is marked is derived.
        log.warning("marks_not_settled", exc_info=True)
    with reading():
        yield True


@contextmanager
def settling() -> Iterator[None]:
    """One unit of work that begins by settling every mark that it sees."""
    with writing(snapshot=True):
        settle()
        yield


def settle_marks(*, of_definitions: bool = False) -> None:
    """Settle every mark, or those of definitions and hashes only, in a unit of work of its own.

    Raises DBAPIError where others hold what it needs: it gives way soon, since it can be done later
    and whoever waits for it holds up an answer.
    """
    with writing(snapshot=True, patience=PATIENCE):
        settle(of_definitions=of_definitions)


def _what_waits() -> CompoundSelect[Any]:
    """What marks there are, as pairs: runs that they concern, and whether settling is worth it."""
    of_open_run = exists().where(OpenRun.test_id == RollupMark.run_id)
    matters = exists().where(or_(RollupMark.run_id.is_(None), RollupMark.kind == "p", ~of_open_run))
    many = select(func.count()).select_from(select(RollupMark.id).limit(MANY).subquery())
    found = [select(literal(OWN).label("why"), by_own_marks().subquery().c.test_id)]
    for runs in by_definitions():
        few = runs.limit(FEW + 1).subquery()
        found.append(select(literal(OF_DEFINITION), few.c.test_id))
    worth_it = or_(matters, many.scalar_subquery() == MANY)
    return union_all(*found, select(literal(MATTERS), literal(0)).where(worth_it))


# Written once: every read asks it first.
WHAT_WAITS = _what_waits()


def _look() -> tuple[bool, bool]:
    """Whether marks of definitions concern so many runs that deriving them would be slow, and
    whether there is anything worth settling: a mark of a rolled-up run or of a definition, the
    progress of an open run, or very many marks."""
    rows = fetch(WHAT_WAITS).all()
    must = len({run_id for why, run_id in rows if why == OF_DEFINITION}) > FEW
    if not must:
        remember({run_id for why, run_id in rows if why != MATTERS})
    return must, any(why == MATTERS for why, _ in rows)


def _lock() -> None:
    lock = select(RollupState.id).where(RollupState.id == 1).with_for_update()
    if db.session.scalar(lock) is None:
        with suppress(IntegrityError), db.session.begin_nested():
            db.session.execute(insert(RollupState).values(id=1))
        db.session.scalar(lock)


def settle(*, of_definitions: bool = False) -> int:
    """Consume every mark that this snapshot sees, or those of definitions only; how many there
    were.

    Begin a writing unit of work right before: the lock must come before the snapshot.
    """
    _lock()
    consumed = 0
    while True:
        marks = db.session.execute(
            select(
                RollupMark.id,
                RollupMark.run_id,
                RollupMark.regression_id,
                RollupMark.output_id,
                RollupMark.file_hash,
            )
            .where(*([RollupMark.run_id.is_(None)] if of_definitions else []))
            .order_by(RollupMark.id)
            .limit(AT_ONCE)
        ).all()
        if not marks:
            return consumed
        runs = {mark.run_id for mark in marks if mark.run_id is not None}
        definitions = {mark.regression_id for mark in marks if mark.regression_id is not None}
        hashes = {(mark.output_id, mark.file_hash) for mark in marks if mark.output_id is not None}
        derive.roll_up(runs)
        pairs = derive.results_of_definitions(definitions) if definitions else set()
        pairs |= derive.results_of_hashes(hashes)
        # A run with marks of its own is derived as a whole when those are consumed. Until then its
        # results are not those that its rollup was made of: one may have come for a skipped test.
        whole = set(db.session.scalars(WITH_OWN_MARKS)) if pairs else set()
        derive.derive_results({pair for pair in pairs if pair[0] not in whole})
        for batch in derive.batches([mark.id for mark in marks], 1000):
            db.session.execute(
                delete(RollupMark)
                .where(RollupMark.id.in_(batch))
                .execution_options(synchronize_session=False)
            )
        consumed += len(marks)
