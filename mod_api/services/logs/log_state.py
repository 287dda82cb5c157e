"""Whether more of a log can come: asked for one run or for all runs and jobs that are followed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, or_, select

from database import fetch, fetch_values, now, utc_after
from mod_api.streaming.hub import RunState
from mod_auth.models import AccountRecord, ApiToken, User
from mod_ci.attempts import LOG_GOES_ON, LOG_GRACE_SECONDS
from mod_ci.models import Attempt, EndReason, JobAttempt
from mod_job.models import Job, JobState
from mod_test.models import Run
from mod_test.run_rows import STATUS, RunRow, joined
from mod_test.verdict import RunStatus


def state_of(run: RunRow) -> RunState:
    """The state of a run; only of one that goes on or has ended a moment ago more is asked."""
    long_ago = now() - timedelta(seconds=2 * LOG_GRACE_SECONDS)
    if run.status.has_ended and run.ended_at is not None and run.ended_at < long_ago:
        return RunState(run.status.value, has_ended=True, is_final=True)
    return states([run.run_id])[run.run_id]


def states(run_ids: Sequence[int]) -> dict[int, RunState]:
    """The state of each run in one statement; a run that is gone is left out.

    A run that ended under its runner stays open for the grace in which the runner may still append;
    every other ended run is final at once.
    """
    return {
        row.id: RunState(
            row.status,
            has_ended=RunStatus(row.status).has_ended,
            is_final=RunStatus(row.status).has_ended and not row.still_appends,
        )
        for row in fetch(_STATES, {"ids": list(run_ids)})
    }


def _states() -> Select[Any]:
    newest = (
        select(func.max(Attempt.id))
        .where(Attempt.test_id == Run.id)
        .correlate(Run)
        .scalar_subquery()
    )
    still_appends = and_(Attempt.id.is_not(None), LOG_GOES_ON)
    return (
        joined(Run.id, STATUS, still_appends.label("still_appends"))
        .outerjoin(Attempt, and_(Attempt.test_id == Run.id, Attempt.id == newest))
        .where(Run.id.in_(bindparam("ids", expanding=True)))
    )


_STATES = _states()


def job_states(uuids: Sequence[str]) -> dict[str, RunState]:
    """The state of each job in one statement; a job that is gone is left out.

    As runs: one that ended under its runner stays open for the grace of its log.
    """
    return {
        row.uuid: RunState(
            str(row.conclusion or row.shown_state),
            has_ended=row.state is JobState.ended,
            is_final=row.state is JobState.ended and not row.still_appends,
        )
        for row in fetch(_JOB_STATES, {"uuids": list(uuids)})
    }


def _job_states() -> Select[Any]:
    newest = (
        select(func.max(JobAttempt.id))
        .where(JobAttempt.job_id == Job.id)
        .correlate(Job)
        .scalar_subquery()
    )
    by_others = or_(
        JobAttempt.end_reason == EndReason.canceled,
        JobAttempt.end_reason == EndReason.deadline_exceeded,
    )
    still_appends = and_(by_others, Job.ended_at >= utc_after(-LOG_GRACE_SECONDS))
    shown = case(
        (and_(Job.state == JobState.running, Job.lease_expires_at < utc_after(0)), "queued"),
        else_=Job.state,
    )
    return (
        select(
            Job.uuid,
            Job.state,
            Job.conclusion,
            shown.label("shown_state"),
            func.coalesce(still_appends, False).label("still_appends"),
        )
        .outerjoin(JobAttempt, JobAttempt.id == newest)
        .where(Job.uuid.in_(bindparam("uuids", expanding=True)))
    )


_JOB_STATES = _job_states()


def live_tokens(token_ids: Sequence[int]) -> set[int]:
    """Those of these tokens that still open something: not revoked, expired or of a disabled
    account."""
    return set(fetch_values(_LIVE_TOKENS, {"ids": list(token_ids)}))


_LIVE_TOKENS = (
    select(ApiToken.id)
    .join(User, User.id == ApiToken.user_id)
    .outerjoin(AccountRecord, AccountRecord.user_id == User.id)
    .where(
        ApiToken.id.in_(bindparam("ids", expanding=True)),
        ApiToken.revoked_at.is_(None),
        ApiToken.expires_at > utc_after(0),
        AccountRecord.disabled_at.is_(None),
    )
)
