"""The queue: who gets the next run, and what becomes of runs whose runner was lost.

A claim is decided under the lock of the run's row, so two runners never get the same run. Leases
compare with the database's clock.
"""

import functools
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    Integer,
    Row,
    Table,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from database import (
    CHOSEN,
    Batch,
    chosen,
    db,
    fetch,
    fetch_first,
    fetch_values,
    in_this_order,
    last_row_id,
    reading,
    utc_now,
    written,
)
from mod_auth import token_recheck
from mod_auth.accounts import Account
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller
from mod_ci import lost_leases, open_runs
from mod_ci.models import Attempt, EndReason
from mod_test import catalogue, sets, state
from mod_test.models import (
    Fork,
    Platform,
    ProgressCause,
    ProgressRecord,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)
from mod_test.rollup.kept import Version, version_of_definitions
from mod_test.rollup.tables import RollupState
from mod_test.run_rows import Last, is_last
from mod_test.validity import is_valid

MOST_LOST_ATTEMPTS = 3
FIRST_CANDIDATES = 4
LOST_MESSAGE = "The runner stopped answering in {count} attempts; the run was given up."

# Composed once: building these costs more than the database needs for them.
_RUN_ID = bindparam("run_id", type_=Integer)
_CHOOSE = select(chosen(Run.id).label("id"))
_OLDEST = open_runs.OLDEST_CANDIDATES.subquery("oldest")
# The oldest candidate that nobody else is taking. What is not of the run's own row is only read.
_LOCK_OLDEST = (
    in_this_order(_CHOOSE.select_from(_OLDEST).join(Run, Run.id == _OLDEST.c.test_id))
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LOCK_ONE = (
    # From the first one on: MariaDB would begin with the oldest run of all.
    _CHOOSE.where(Run.id >= bindparam("first"), Run.id.in_(bindparam("ids", expanding=True)))
    .order_by(Run.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_CLAIM_CANDIDATE = (
    select(
        RunRecord.test_id,
        Last.status,
        RunRecord.attempts,
        RunRecord.lost_attempts,
        RunRecord.lease_expires_at.is_not(None).label("is_leased"),
        (RunRecord.lease_expires_at < utc_now()).label("is_expired"),
        Last.id.is_(None).label("is_new"),
        (Last.id == RunRecord.held_progress_id).label("is_as_left"),
        exists().where(ResultFile.test_id == RunRecord.test_id).label("has_files"),
        exists().where(Result.test_id == RunRecord.test_id).label("has_results"),
        # What whoever takes it is told.
        utc_now().label("now"),
        Run.platform,
        Run.test_type,
        Run.branch,
        Run.commit,
        Run.pr_nr,
        Fork.github,
        *catalogue.VERSION_COLUMNS,
    )
    .join(Run, Run.id == RunRecord.test_id)
    .outerjoin(Fork, Fork.id == Run.fork_id)
    .outerjoin(Last, is_last(RunRecord.test_id))
    .outerjoin(RollupState, RollupState.id == 1)
    .where(RunRecord.test_id == _RUN_ID)
)
_EXPIRED = (
    select(RunRecord.test_id)
    .where(RunRecord.lease_expires_at.is_not(None), RunRecord.lease_expires_at < utc_now())
    .order_by(RunRecord.test_id)
)
# The tests that the run was asked for with, if they were written down.
_RECORDED = sets.recorded(_RUN_ID)
_REPORTED = select(Result.regression_test_id).where(Result.test_id == _RUN_ID)
_ATTEMPT = insert(cast("Table", Attempt.__table__))
# These two come after the event: the row that it has inserted is the last one.
_RECORD = insert(cast("Table", ProgressRecord.__table__)).from_select(
    ["progress_id", "cause", "attempt_id", "step"],
    select(
        last_row_id(),
        literal(ProgressCause.worker, type_=ProgressRecord.cause.type),
        Attempt.id,
        literal(0),
    ).where(Attempt.test_id == _RUN_ID, Attempt.number == bindparam("number", type_=Integer)),
)
_LEASE = (
    update(RunRecord)
    .where(RunRecord.test_id == _RUN_ID)
    .values(
        attempts=bindparam("number", type_=Integer),
        lost_attempts=bindparam("lost", type_=Integer),
        lease_expires_at=bindparam("until", type_=RunRecord.lease_expires_at.type),
        held_progress_id=last_row_id(),
    )
    .execution_options(synchronize_session=False)
)
_DROP_FILES = (
    delete(ResultFile)
    .where(
        ResultFile.test_id == _RUN_ID,
        ~exists().where(
            Result.test_id == ResultFile.test_id,
            Result.regression_test_id == ResultFile.regression_test_id,
        ),
    )
    .execution_options(synchronize_session=False)
)


@dataclass(frozen=True)
class Claim:
    """A lease on a run; `credential` is shown this once.

    `recorded` are the run's tests, if they were written down when it was asked for; those in
    `reported` have a result. `run` has the columns of the run and its fork, `definitions` is the
    version of regression tests. All is of the moment when it was taken.
    """

    attempt_id: int
    number: int
    credential: str
    run_id: int
    recorded: frozenset[int] | None
    reported: frozenset[int]
    lease_expires_at: datetime
    deadline_at: datetime
    run: Any
    definitions: Version | None


@dataclass(frozen=True)
class _Taker:
    """Who wants a run, and for how long."""

    platform: Platform
    runner_name: str
    account: Account
    lease_seconds: int
    run_time_limit: int


def claim(
    platform: Platform,
    runner_name: str,
    *,
    caller: Caller,
    lease_seconds: int,
    run_time_limit: int,
) -> Claim | None:
    """Take the oldest waiting run of `platform`, or None when there is none for us.

    Never one that the existing scheduler has given a machine, and none in maintenance. Runs whose
    third lease was lost are canceled on the way. Runs that others are taking at this moment are
    passed by. Call it in a unit of work that is `pipelined`. Raises Unauthorized and Forbidden as
    the caller's token reads now.
    """
    # The run record usually suffices: lock one of the few oldest candidates, skipping rows that
    # other runners hold, and look at it again under the lock.
    batch = Batch()
    token = batch.add(*token_recheck.statement(caller))
    wanted = {"platform": platform, "after": 0, "most": FIRST_CANDIDATES}
    locked = batch.choose(_LOCK_OLDEST, wanted)
    candidate = batch.add(_CLAIM_CANDIDATE, {"run_id": CHOSEN})
    recorded = batch.add(_RECORDED, {"run_id": CHOSEN})
    batch.send()
    account = token_recheck.check(token.rows, caller, Scope.RUNS_EXECUTE).account
    taker = _Taker(platform, runner_name, account, lease_seconds, run_time_limit)
    seen = 0
    if locked.rows:
        taken = _take_if_it_waits(taker, candidate.rows[0], recorded.rows)
        if taken is not None:
            return taken
        seen = locked.rows[0].id
    return _claim_after(seen, taker)


def _claim_after(seen: int, taker: _Taker) -> Claim | None:
    """The oldest waiting run with an id above `seen`, each candidate looked at closely."""
    while ids := open_runs.oldest_waiting(taker.platform, after=seen):
        locked = fetch_first(_LOCK_ONE, {"first": ids[0], "ids": ids})
        if locked is not None:
            candidate = fetch(_CLAIM_CANDIDATE, {"run_id": locked.id})[0]
            taken = _take_if_it_waits(taker, candidate, fetch(_RECORDED, {"run_id": locked.id}))
            if taken is not None:
                return taken
        seen = ids[-1] if locked is None else locked.id
    return None


def make_sure_of(caller: Caller) -> None:
    """Raises Unauthorized and Forbidden where the caller's token takes no runs any more."""
    token_recheck.check(fetch(*token_recheck.statement(caller)), caller, Scope.RUNS_EXECUTE)


def expire() -> int:
    """Write down every lease that has expired, each in a unit of work of its own; how many that
    were.

    The next claim does the same for the run that it takes, so this only keeps the tables tidy: a
    run that somebody holds is left for the next time.
    """
    with reading():
        expired = fetch_values(_EXPIRED)
    return sum(written(functools.partial(_expire, run_id)) for run_id in expired)


def _expire(run_id: int) -> bool:
    """Return whether the run's lease had expired, and nobody holds the run."""
    if state.lock(run_id, skip_locked=True) is None:
        return False
    (candidate,) = fetch(_CLAIM_CANDIDATE, {"run_id": run_id})
    if not candidate.is_expired:
        return False
    if candidate.status is not None and candidate.status.has_ended:
        end_open_attempts(run_id, EndReason.canceled)
        _forget_lease(run_id, candidate.lost_attempts)
    else:
        _give_up(candidate)
    return True


def _waits(candidate: Row[Any]) -> bool:
    """Whether a run that is locked now waits for a runner, by its row of `_CLAIM_CANDIDATE`."""
    if not is_valid(candidate.commit, candidate.github, candidate.platform):
        return False
    if candidate.is_new:
        return True
    if candidate.status is None or candidate.status.has_ended:  # None: not a progress row of ours
        return False
    return bool(candidate.is_as_left and (not candidate.is_leased or candidate.is_expired))


def _give_up(candidate: Row[Any]) -> int | None:
    """Write down what a locked run's last attempt left behind; how many attempts it has lost now.

    None when that was one too many: the run was canceled.
    """
    lost: int = candidate.lost_attempts
    attempt_id = None
    if candidate.status is not None and candidate.is_expired:
        lost += 1
    if candidate.is_leased or candidate.attempts:
        attempt_id = end_open_attempts(candidate.test_id, EndReason.lease_expired)
        _forget_lease(candidate.test_id, lost)
    if candidate.status is None or lost < MOST_LOST_ATTEMPTS:
        return lost
    state.end(
        candidate.test_id,
        TestStatus.canceled,
        LOST_MESSAGE.format(count=lost),
        cause=ProgressCause.infrastructure,
        attempt_id=attempt_id,
    )
    return None


def _take_if_it_waits(taker: _Taker, candidate: Row[Any], recorded: Sequence[Any]) -> Claim | None:
    """Claim a locked run, if it waits: its rows of `_CLAIM_CANDIDATE` and `_RECORDED`."""
    if not _waits(candidate):
        return None
    lost = _give_up(candidate)
    if lost is None:
        return None
    until = candidate.now + timedelta(seconds=taker.lease_seconds)
    deadline = candidate.now + timedelta(seconds=taker.run_time_limit)
    credential = "spca_" + secrets.token_urlsafe(32)
    return Claim(
        attempt_id=_write(taker, candidate, lost, credential, until, deadline),
        number=candidate.attempts + 1,
        credential=credential,
        run_id=candidate.test_id,
        recorded=frozenset(test for (test,) in recorded) or None,
        reported=_reported(candidate),
        lease_expires_at=until,
        deadline_at=deadline,
        run=candidate,
        definitions=version_of_definitions(candidate),
    )


def _reported(candidate: Row[Any]) -> frozenset[int]:
    """The tests of a locked run that have a result: most runs that are taken have none."""
    if not candidate.has_results:
        return frozenset()
    return frozenset(fetch_values(_REPORTED, {"run_id": candidate.test_id}))


def _write(
    taker: _Taker,
    candidate: Row[Any],
    lost: int,
    credential: str,
    until: datetime,
    deadline: datetime,
) -> int:
    """Write down that a locked run is taken; the id of its new attempt."""
    run_id, number = candidate.test_id, candidate.attempts + 1
    message = f"Attempt {number}: taken by {taker.runner_name}."
    batch = Batch()
    attempt = batch.add(
        _ATTEMPT,
        {
            "test_id": run_id,
            "number": number,
            "platform": taker.platform,
            "runner_name": taker.runner_name,
            "account_id": taker.account.id,
            "credential_hash": fingerprint(credential),
            "claimed_at": candidate.now,
            "deadline_at": deadline,
        },
    )
    batch.add(state.APPEND, state.event(run_id, TestStatus.preparation, message))
    batch.add(_RECORD, {"run_id": run_id, "number": number})
    if candidate.has_files:
        # Those whose result never came: this attempt reports both together.
        batch.add(_DROP_FILES, {"run_id": run_id})
    batch.add(
        _LEASE,
        {
            "run_id": run_id,
            "number": number,
            # Without any progress it never was taken, or the existing site has restarted it.
            "lost": 0 if candidate.status is None else lost,
            "until": until,
        },
    )
    batch.send()
    return attempt.row_id


def fingerprint(credential: str) -> str:
    """What is kept of an attempt's credential: its SHA-256, in hexadecimal."""
    return hashlib.sha256(credential.encode()).hexdigest()


def end_open_attempts(run_id: int, reason: EndReason) -> int | None:
    """End what is still open of a locked run's attempts; the newest one's id."""
    newest: int | None = db.session.scalar(
        select(func.max(Attempt.id)).where(Attempt.test_id == run_id)
    )
    ended = db.session.execute(
        update(Attempt)
        .where(Attempt.test_id == run_id, Attempt.ended_at.is_(None))
        .values(ended_at=utc_now(), end_reason=reason, running_tests=None)
        .execution_options(synchronize_session=False)
    )
    count: int = ended.rowcount  # type: ignore[attr-defined]  # a cursor result, as UPDATE gives
    if reason is EndReason.lease_expired and count:
        lost_leases.write_down(run_id)
    if reason.is_infrastructure_failure and count:
        count_failures(run_id, count)
    return newest


def count_failures(run_id: int, count: int = 1) -> None:
    """So many attempts of a locked run have just ended by a failure of the infrastructure."""
    db.session.execute(
        update(RunRecord)
        .where(RunRecord.test_id == run_id)
        .values(failed_attempts=RunRecord.failed_attempts + count)
        .execution_options(synchronize_session=False)
    )


def _forget_lease(run_id: int, lost_attempts: int) -> None:
    db.session.execute(
        update(RunRecord)
        .where(RunRecord.test_id == run_id)
        .values(lease_expires_at=None, lost_attempts=lost_attempts)
        .execution_options(synchronize_session=False)
    )
