"""Events of a run since a position: progress and results, each once."""

from collections.abc import Hashable

from flask import Flask
from sqlalchemy import func, select

from config import Settings
from database import db
from mod_api.schemas.fields import rfc3339
from mod_api.services.logs.streams import checks, has_seen_end, new_follower
from mod_api.services.runs.progress import events_after
from mod_api.services.runs.runs import get_row
from mod_api.streaming.run_stream import Happened, Position, RunStream
from mod_test.models import Progress, Result, ResultRecord
from mod_test.rollup.settle import settled_reading
from mod_test.run_counts import counts_of_run
from mod_test.verdict import result_verdicts

MOST_RESULTS = 500


def follow(
    run_id: int, *, app: Flask, settings: Settings, token_id: int, last_event_id: str | None
) -> RunStream | None:
    """A stream of a run's events; None for a client that has had them all.

    Raises NotFound, Unavailable.
    """
    if has_seen_end(run_id, last_event_id):
        return None
    position, counts_seen = _place(last_event_id)

    def look(after: Position) -> Happened:
        with app.app_context(), settled_reading():
            return happened(run_id, after)

    def newest() -> Hashable:
        with app.app_context(), settled_reading():
            return newest_of(run_id)

    with new_follower(token_id, settings) as follower:
        with settled_reading():
            get_row(run_id)
        return RunStream(
            run_id,
            position,
            counts_seen,
            look=look,
            newest=newest,
            checks=checks(app),
            follower=follower,
        )


def newest_of(run_id: int) -> Hashable:
    """Return the newest progress of a run, its newest result and the number of results."""
    progress = select(func.max(Progress.id)).where(Progress.test_id == run_id)
    result = select(func.max(ResultRecord.id)).where(ResultRecord.test_id == run_id)
    count = select(func.count()).select_from(Result).where(Result.test_id == run_id)
    numbers = (progress.scalar_subquery(), result.scalar_subquery(), count.scalar_subquery())
    return tuple(db.session.execute(select(*numbers)).one())


def happened(run_id: int, after: Position) -> Happened:
    """The events behind `after`, oldest first: results as they came, then progress; and the counts.

    Results of old workers have no order of their own and are told by the counts only.
    """
    run = get_row(run_id)
    events = []
    place = after
    rows = db.session.execute(
        select(ResultRecord.id, ResultRecord.regression_test_id)
        .where(ResultRecord.test_id == run_id, ResultRecord.id > after.result_id)
        .order_by(ResultRecord.id)
        .limit(MOST_RESULTS)
    ).all()
    has_more = len(rows) == MOST_RESULTS
    verdicts = {
        row.regression_test_id: row
        for row in db.session.execute(
            result_verdicts(
                Result.test_id == run_id,
                Result.regression_test_id.in_([row.regression_test_id for row in rows]),
            )
        )
    }
    for record_id, regression_id in rows:
        place = Position(place.progress_id, record_id)
        verdict = verdicts.get(regression_id)
        if verdict is None:
            continue
        told = {
            "run_id": run_id,
            "regression_id": regression_id,
            "status": verdict.status,
            "exit_code": verdict.exit_code,
            "expected_exit_code": verdict.expected_exit_code,
            "runtime_ms": verdict.runtime,
        }
        events.append(("result", told, place))
    progress = [] if has_more else events_after(run, max(after.progress_id, 0))
    for progress_id, event in progress:
        if progress_id <= after.progress_id:
            continue  # the queueing stands before the first progress, whatever was seen
        place = Position(progress_id, place.result_id)
        told = {
            "run_id": run_id,
            "timestamp": rfc3339(event.timestamp),
            "status": event.status,
            "message": event.message[:500],
            "step": event.step,
        }
        events.append(("progress", told, place))
    counts = counts_of_run(run)
    told = {
        "run_id": run_id,
        "status": run.status.value,
        "total_samples": counts.total,
        "pass_count": counts.passed,
        "fail_count": counts.failed,
        "missing_output_count": counts.missing_output,
        "skipped_count": counts.skipped,
        "error_count": counts.errors,
    }
    return Happened(events, place, told, has_more)


def _place(event_id: str | None) -> tuple[Position, str | None]:
    """The position that an event's id tells, and the digest of the counts where it has one."""
    if event_id is None:
        return Position(), None
    progress_id, result_id, *counts = event_id.removeprefix("-").split("-")
    is_before_all = event_id.startswith("-")
    position = Position(-1 if is_before_all else int(progress_id), int(result_id))
    return position, counts[0] if counts else None
