"""The queue of jobs: who gets the next one, and what becomes of one whose runner is lost."""

import functools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Integer, Select, bindparam, func, select, union_all, update

from database import db, fetch, fetch_first, fetch_value, fetch_values, reading, utc_now, written
from mod_auth import token_recheck
from mod_auth.accounts import Account
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller
from mod_ci.models import EndReason, JobAttempt
from mod_ci.queue import fingerprint
from mod_job import shares, state
from mod_job.models import Job, JobShare, JobState, JobTest, JobTestOutcome
from mod_job.shares import IN_ORDER

# An attempt may take so much longer than the command: to unpack, install and collect.
AROUND_THE_COMMAND_S = 1800
# So often other claims may take all that an account has open while one waits for its share.
TRIES = 20
MOST_EXPIRED = 10
LOST = "The runner stopped answering."

# Composed once: waiting runners and every claim ask for these.
_NAMESPACE = bindparam("namespace", type_=Job.namespace.type)
_MOST = bindparam("most", type_=Integer)
_OPEN = (Job.namespace == _NAMESPACE, Job.state == JobState.queued, ~Job.is_held)
_FIRST = select(Job.account_id).where(*_OPEN).order_by(*IN_ORDER).limit(1)
_FIRST_OF_ACCOUNT = (
    select(Job)
    .where(Job.account_id == bindparam("account_id", type_=Integer), *_OPEN)
    .order_by(*IN_ORDER)
    .limit(1)
    .with_for_update()
    .execution_options(populate_existing=True)
)
_EXPIRED = (
    select(Job.id)
    .where(Job.namespace == _NAMESPACE, Job.lease_expires_at < utc_now())
    .order_by(Job.lease_expires_at)
    .limit(_MOST)
)


def _waiting() -> Select[tuple[int]]:
    """How many jobs a claim would find, counted up to a limit."""
    found = select(Job.id).where(*_OPEN).limit(_MOST).subquery("open")
    expired = _EXPIRED.subquery("expired")
    both = union_all(select(found.c.id), select(expired.c.id)).subquery("both")
    return select(func.count()).select_from(both)


_WAITING = _waiting()


@dataclass(frozen=True)
class JobClaim:
    """A lease on a job; `credential` is shown this once."""

    attempt_id: int
    number: int
    credential: str
    job: Job
    lease_expires_at: datetime
    deadline_at: datetime


def claim(
    runner_name: str,
    *,
    caller: Caller,
    namespace: str,
    lease_seconds: int,
    time_limit: int,
) -> JobClaim | None:
    """Take the first waiting job in the queue's order, or None when there is none.

    Jobs that their runners have lost wait again on the way. Begins its own units of work: each
    locks the share of one account, so that two claims never wait for each other. Raises
    Unauthorized and Forbidden as the caller's token reads now.
    """

    def take() -> JobClaim | _Again | None:
        now = token_recheck.check(
            fetch(*token_recheck.statement(caller)), caller, Scope.RUNS_EXECUTE
        )
        expired = fetch_values(_EXPIRED, {"namespace": namespace, "most": MOST_EXPIRED})
        if expired:
            return _Again(expired)
        first = fetch_first(_FIRST, {"namespace": namespace})
        if first is None:
            return None
        share = shares.locked(first.account_id, namespace)
        wanted = {"namespace": namespace, "account_id": share.account_id}
        job = db.session.scalars(_FIRST_OF_ACCOUNT, wanted).first()
        if job is None:
            return _Again()
        return _take(job, share, runner_name, now.account, lease_seconds, time_limit)

    for _ in range(TRIES):
        taken = written(take)
        if not isinstance(taken, _Again):
            return taken
        for job_id in taken.expired:
            written(functools.partial(_give_up, job_id))
    return None


@dataclass(frozen=True)
class _Again:
    """Nothing was taken this time, but another look may find something."""

    expired: Sequence[int] = ()


def count_waiting(namespace: str, most: int) -> int:
    """Return how many jobs wait that a claim would find, or that many: one plain read."""
    found: int = fetch_value(_WAITING, {"namespace": namespace, "most": most})
    return found


def expire() -> int:
    """Write down every expired lease of a job, each in a unit of work of its own; how many."""
    with reading():
        expired = fetch_values(select(Job.id).where(Job.lease_expires_at < utc_now()))
    return sum(written(functools.partial(_give_up, job_id)) for job_id in expired)


def end_open_attempts(job: Job, reason: EndReason, *, message: str | None = None) -> int | None:
    """End what is still open of a locked job's attempts, and name the test that ran; its id."""
    attempts = db.session.scalars(
        select(JobAttempt).where(JobAttempt.job_id == job.id, JobAttempt.ended_at.is_(None))
    ).all()
    for attempt in attempts:
        close(job, attempt, reason, message=message)
    return attempts[-1].id if attempts else None


def close(job: Job, attempt: JobAttempt, reason: EndReason, *, message: str | None = None) -> None:
    """End an attempt at a locked job. The test that was running then is kept as such."""
    attempt.ended_at = state.database_now()
    attempt.end_reason = reason
    attempt.error_message = message
    if attempt.running_test is not None:
        newest = fetch_value(
            select(JobTest.number)
            .where(JobTest.job_id == job.id, JobTest.attempt == attempt.number)
            .order_by(JobTest.number.desc())
            .limit(1)
        )
        db.session.add(
            JobTest(
                job_id=job.id,
                attempt=attempt.number,
                number=(newest or 0) + 1,
                nodeid=attempt.running_test,
                outcome=JobTestOutcome.running,
                is_flaky=False,
            )
        )
        attempt.running_test = None
    db.session.flush()


def _give_up(job_id: int) -> bool:
    """Let a job wait again whose lease has expired; whether it had."""
    found = state.lock(job_id)
    if found is None:
        return False
    job, share = found
    if job.lease_expires_at is None or job.lease_expires_at >= state.database_now():
        return False
    attempt_id = end_open_attempts(job, EndReason.lease_expired, message=LOST)
    state.requeue(job, share, LOST, is_lost=True, attempt_id=attempt_id)
    return True


def _take(
    job: Job,
    share: JobShare,
    runner_name: str,
    account: Account,
    lease_seconds: int,
    time_limit: int,
) -> JobClaim:
    moment = state.database_now()
    credential = "spcj_" + secrets.token_urlsafe(32)
    attempt = JobAttempt(
        job_id=job.id,
        number=job.attempts + 1,
        runner_name=runner_name,
        account_id=account.id,
        credential_hash=fingerprint(credential),
        claimed_at=moment,
        deadline_at=moment + timedelta(seconds=time_limit + AROUND_THE_COMMAND_S),
    )
    db.session.add(attempt)
    db.session.flush()
    state.start(
        job,
        share,
        attempt_id=attempt.id,
        lease=timedelta(seconds=lease_seconds),
        runner=runner_name,
    )
    db.session.execute(update(Job).where(Job.id == job.id).values(**state.NO_TESTS))
    return JobClaim(
        attempt_id=attempt.id,
        number=attempt.number,
        credential=credential,
        job=job,
        lease_expires_at=moment + timedelta(seconds=lease_seconds),
        deadline_at=attempt.deadline_at,
    )
