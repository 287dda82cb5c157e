"""Rebuilding the rollup from nothing, and holding it against a full derivation."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from database import db, writing
from mod_test.models import Run
from mod_test.rollup import derive, opened, triggers
from mod_test.rollup.settle import begin_generation, settling, write_down_change
from mod_test.rollup.tables import FailingResult, OpenRun, RollupState, RunRollup

BATCH = 200


@dataclass(frozen=True)
class Difference:
    """A run whose rollup is not what a full derivation gives."""

    run_id: int
    kept: dict[str, object] | None
    derived: dict[str, object] | None


def prepare() -> bool:
    """Make sure that marks are made; False where the account may not create triggers, and then
    nothing is kept."""
    with writing():
        complete = triggers.create(db.session.connection())
        if db.session.get(RollupState, 1) is None:
            db.session.execute(insert(RollupState).values(id=1))
        if not complete:
            for table in (RunRollup, FailingResult):
                db.session.execute(delete(table))
            db.session.execute(update(OpenRun).values(settled=False))
        opened.write_down()
        begin_generation(marks_are_made=complete)
        return complete


def rebuild(*, after: int = 0) -> Iterator[tuple[int, int]]:
    """Derive every run with an id above `after`, in batches, each a unit of work of its own.

    Yields the last id that is done and how many runs are: broken off, it is resumed from there.
    """
    done = 0
    while True:
        with settling():
            ids = list(
                db.session.scalars(
                    select(Run.id).where(Run.id > after).order_by(Run.id).limit(BATCH)
                )
            )
            changed = derive.roll_up(ids)
            if ids:
                write_down_change(min(changed, default=ids[0]))
        if not ids:
            return
        after, done = ids[-1], done + len(ids)
        yield after, done


def verify() -> Iterator[Difference]:
    """Compare every rolled-up run with a full derivation, in batches; the differences."""
    after = 0
    while True:
        with settling():
            ids = list(
                db.session.scalars(
                    select(Run.id).where(Run.id > after).order_by(Run.id).limit(BATCH)
                )
            )
            kept = _kept(ids)
            derived = _derived(list(kept))
        if not ids:
            return
        after = ids[-1]
        for run_id, known in kept.items():
            if known != derived.get(run_id):
                yield Difference(run_id, known, derived.get(run_id))


def _kept(ids: list[int]) -> dict[int, dict[str, object]]:
    rows = db.session.execute(
        select(RunRollup.__table__).where(RunRollup.test_id.in_(ids))
    ).mappings()
    found = {row["test_id"]: dict(row) for row in rows}
    failing = db.session.execute(
        select(FailingResult.__table__).where(FailingResult.test_id.in_(ids))
    ).mappings()
    return _joined(found, [dict(row) for row in failing])


def _derived(ids: list[int]) -> dict[int, dict[str, object]]:
    rows, failing = derive.derived(ids)
    return _joined({row["test_id"]: row for row in rows}, failing)


def _joined(
    runs: dict[int, dict[str, object]], failing: list[dict[str, object]]
) -> dict[int, dict[str, object]]:
    """Runs with their failing results, in an order that can be compared."""
    found = {run_id: {**row, "failing": []} for run_id, row in runs.items()}
    for result in sorted(failing, key=lambda row: str(row["regression_test_id"])):
        run = found.get(int(str(result["test_id"])))
        if run is not None:
            run["failing"].append(result)  # type: ignore[attr-defined]  # the list from above
    return found
