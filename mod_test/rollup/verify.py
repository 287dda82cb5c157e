"""Holding what is kept against a full derivation, and all runs against what is kept of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from database import db
from mod_test.rollup import derive, facts
from mod_test.rollup.settle import settling
from mod_test.rollup.tables import FailingResult, OpenRun, RollupState, RunRollup

BATCH = 200
Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """What is not as it should be, of a run or of a set of tests; `what` says how."""

    subject: str
    what: str


def is_anything_kept() -> bool:
    """Return whether anything is kept; call it in a unit of work."""
    return bool(db.session.scalar(select(RollupState.generation).where(RollupState.id == 1)))


def differences() -> Iterator[Difference]:
    """Compare all that is kept with a full derivation, in batches; the differences.

    A run that was not rolled up yet is none: it is derived at each reading.
    """
    with settling():
        wrong = facts.wrong_sets()
    for set_id in wrong:
        yield Difference(f"set {set_id}", "does not have the members that its digest is of")
    after = 0
    while True:
        with settling():
            ids = derive.runs_behind(after, BATCH)
            found = list(_of_runs(ids))
        if not ids:
            return
        after = ids[-1]
        yield from found


def _of_runs(ids: list[int]) -> Iterator[Difference]:
    kept = _kept(ids)
    opened = select(OpenRun.test_id, OpenRun.settled).where(OpenRun.test_id.in_(ids))
    is_settled = dict(db.session.execute(opened).tuples().all())
    held = [run_id for run_id in ids if run_id in kept or is_settled.get(run_id) is not False]
    rows, failing = derive.derived(held)
    wanted = _joined({row["test_id"]: row for row in rows}, failing)
    for run_id in held:
        what = _difference(kept.get(run_id), wanted.get(run_id), is_open=run_id in is_settled)
        if what is not None:
            yield Difference(f"run {run_id}", what)


def _difference(kept: Row | None, wanted: Row | None, *, is_open: bool) -> str | None:
    """What is wrong with a run that is settled or kept."""
    if wanted is None:
        return None if kept is None else "is kept, and is not valid"
    goes_on = wanted["set_id"] is None
    if is_open is not goes_on:
        return "goes on, and is not open" if goes_on else "has ended, and is open"
    return "is not kept" if kept is None else _between(kept, wanted)


def _between(kept: Row, wanted: Row) -> str | None:
    names = [name for name in kept if kept[name] != wanted[name]]
    told = (f"{name}: kept {kept[name]!r}, is {wanted[name]!r}" for name in names)
    return "; ".join(told) or None


def _kept(ids: list[int]) -> dict[int, Row]:
    def rows(table: Any) -> list[Row]:
        of_runs = select(table.__table__).where(table.test_id.in_(ids))
        return [dict(row) for row in db.session.execute(of_runs).mappings()]

    return _joined({row["test_id"]: row for row in rows(RunRollup)}, rows(FailingResult))


def _joined(runs: Mapping[int, Row], failing: list[Row]) -> dict[int, Row]:
    """Runs with their failing results, in an order that can be compared."""
    found: dict[int, Row] = {run_id: {**row, "failing": []} for run_id, row in runs.items()}
    for result in sorted(failing, key=lambda row: int(row["regression_test_id"])):
        if result["test_id"] in found:
            found[result["test_id"]]["failing"].append(result)
    return found
