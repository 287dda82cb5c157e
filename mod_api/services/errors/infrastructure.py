"""Infrastructure errors of runs: typed by the runner where it did, else by the message."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from database import fetch, fetch_value
from mod_api.services.paging import Page, page
from mod_ci.models import Attempt, EndReason
from mod_test.cancellations import infrastructure_type
from mod_test.models import Progress
from mod_test.run_rows import RunRow
from mod_test.tracebacks import headline, is_traceback, without_stack
from mod_test.verdict import RunStatus

FAILURES = [reason for reason in EndReason if reason.is_infrastructure_failure]
LOST = "Attempt {number}: {runner} stopped answering and lost the run."
MOST_STACK_LINES = 50
NO_RESULTS = "The run completed without a single result."
TYPE_OF_REASON = {
    EndReason.build_failed: "build",
    EndReason.lease_expired: "worker",
    EndReason.deadline_exceeded: "worker",
    EndReason.internal_error: "worker",
}


@dataclass(frozen=True)
class InfrastructureError:
    """One failure of what executes runs, never a test's; `stack` is for those who may see it."""

    error_id: str
    run_id: int
    type: str
    message: str
    occurred_at: datetime
    location: dict[str, object] | None = None
    stack: Sequence[str] = ()
    severity: str = "critical"
    sample_id: None = None
    regression_id: None = None


def list_errors(
    run: RunRow,
    *,
    type: str | None,
    severity: str | None,
    include_stack: bool,
    limit: int,
    offset: int,
) -> Page[dict[str, Any]]:
    """One page of a run's infrastructure errors, oldest first; `stack` is there when asked for."""
    found = [
        _shown(error, include_stack)
        for error in errors_of(run)
        if type in (None, error.type) and severity in (None, error.severity)
    ]
    return page(found[offset : offset + limit], total=len(found), limit=limit, offset=offset)


_FAILED = (
    select(
        Attempt.id,
        Attempt.test_id,
        Attempt.number,
        Attempt.runner_name,
        Attempt.stage,
        Attempt.end_reason,
        Attempt.claimed_at,
        Attempt.ended_at,
        Attempt.error_type,
        Attempt.error_message,
        Attempt.error_stack,
    )
    .where(Attempt.test_id == bindparam("run_id"), Attempt.end_reason.in_(FAILURES))
    .order_by(Attempt.id)
)
_LAST_MESSAGE = (
    select(Progress.message)
    .where(Progress.test_id == bindparam("run_id"))
    .order_by(Progress.id.desc())
    .limit(1)
)


def errors_of(run: RunRow) -> list[InfrastructureError]:
    """The infrastructure errors of a run, oldest first; `RunRow.infrastructure_errors` counts
    them."""
    found = [_of_attempt(attempt) for attempt in fetch(_FAILED, {"run_id": run.run_id})]
    # An end of our own making repeats what the attempt told; another program's does not.
    if run.infrastructure_errors > run.failed_attempts:
        found.append(_of_end(run))
    at = run.created_at
    for place, error in enumerate(found):
        at = max(at, error.occurred_at)
        found[place] = dataclasses.replace(error, occurred_at=at)
    return found


def _shown(error: InfrastructureError, include_stack: bool) -> dict[str, Any]:
    shown = {name: value for name, value in vars(error).items() if name != "stack"}
    # The last lines of a stack say what happened; the first only where it began.
    return shown | ({"stack": list(error.stack)[-MOST_STACK_LINES:]} if include_stack else {})


def _of_attempt(attempt: Any) -> InfrastructureError:
    message = attempt.error_message or LOST.format(
        number=attempt.number, runner=attempt.runner_name
    )
    kind = attempt.error_type
    if kind is None and attempt.end_reason is not None:
        kind = TYPE_OF_REASON.get(attempt.end_reason)
    location: dict[str, object] = {
        "attempt": attempt.number,
        "runner": attempt.runner_name,
        "reason": attempt.end_reason.value if attempt.end_reason else None,
        "stage": attempt.stage.value if attempt.stage else None,
    }
    return InfrastructureError(
        error_id=f"attempt-{attempt.id}",
        run_id=attempt.test_id,
        type=kind or infrastructure_type(message),
        message=without_stack(message),
        occurred_at=attempt.ended_at or attempt.claimed_at,
        location=location,
        stack=_stack_of(attempt.error_stack, message),
    )


def _of_end(run: RunRow) -> InfrastructureError:
    """Return the error that the run's own end tells of."""
    if run.ended_at is None:
        raise ValueError(f"run {run.run_id} has not ended")
    error_id = f"run-{run.run_id}"
    if run.status is RunStatus.error:
        return InfrastructureError(error_id, run.run_id, "worker", NO_RESULTS, run.ended_at)
    message: str = fetch_value(_LAST_MESSAGE, {"run_id": run.run_id}) or ""
    lines = message.strip().splitlines()
    return InfrastructureError(
        error_id,
        run.run_id,
        infrastructure_type(message),
        headline(message) or "The run was canceled without a message.",
        run.ended_at,
        stack=lines if len(lines) > 1 else (),
    )


def _stack_of(told: str | None, message: str) -> Sequence[str]:
    """The stack that a runner told, else the one in its message."""
    stack: list[str] = json.loads(told) if told else []
    return stack or (message.strip().splitlines() if is_traceback(message) else [])
