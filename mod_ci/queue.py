"""The queue: who gets the next run, and what becomes of runs whose runner was lost (decision 5).

A claim is decided under the lock of the run's row, so two runners never get the same run. Leases
compare with the database's clock.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    Integer,
    Row,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    union_all,
    update,
)

from database import change_along, change_each, db, fetch, fetch_each, utc_now
from mod_auth.accounts import Account
from mod_ci import lost_leases, open_runs
from mod_ci.models import Attempt, EndReason
from mod_test import catalogue, sets, state
from mod_test.models import (
    Fork,
    Platform,
    ProgressCause,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)
from mod_test.rollup.kept import Version, version_of_definitions
from mod_test.rollup.tables import RollupState
from mod_test.run_rows import Last, is_last
from mod_test.validity import IS_VALID

MOST_LOST_ATTEMPTS = 3
FIRST_CANDIDATES = 4
LOST_MESSAGE = "The runner stopped answering in {count} attempts; the run was given up."

# Composed once: building these costs more than the database needs for them.
_RUN_ID = bindparam("run_id", type_=Integer)
_LOCK_ONE = (
    select(Run.id)
    # From the first one on: MariaDB would begin with the oldest run of all.
    .where(Run.id >= bindparam("first"), Run.id.in_(bindparam("ids", expanding=True)))
    .order_by(Run.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_WITHOUT_RESULT = (
    ResultFile.test_id == _RUN_ID,
    ~exists().where(
        Result.test_id == ResultFile.test_id,
        Result.regression_test_id == ResultFile.regression_test_id,
    ),
)
_HELD = (
    select(
        RunRecord.test_id,
        Last.status,
        RunRecord.attempts,
        RunRecord.lost_attempts,
        RunRecord.lease_expires_at.is_not(None).label("is_leased"),
        (RunRecord.lease_expires_at < utc_now()).label("is_expired"),
        Last.id.is_(None).label("is_new"),
        (Last.id == RunRecord.held_progress_id).label("is_as_left"),
        exists()
        .where(Attempt.test_id == RunRecord.test_id, Attempt.ended_at.is_(None))
        .label("has_open_attempt"),
        exists().where(*_WITHOUT_RESULT).label("has_files_without_result"),
        sets.recorded(RunRecord.test_id).exists().label("has_recorded_set"),
        and_(*IS_VALID, open_runs.HAS_NO_MACHINE, open_runs.IS_NOT_PAUSED).label(
            "may_be_handed_out"
        ),
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
# The tests that the run was asked for with, if they were written down, and the negative numbers of
# those that have a result.
_TESTS = union_all(
    sets.recorded(_RUN_ID),
    select(-Result.regression_test_id).where(Result.test_id == _RUN_ID),
)
_ATTEMPT = insert(cast("Table", Attempt.__table__))
_LEASE = (
    update(RunRecord)
    .where(RunRecord.test_id == _RUN_ID)
    .values(
        attempts=bindparam("number", type_=Integer),
        lost_attempts=bindparam("lost", type_=Integer),
        lease_expires_at=bindparam("until", type_=RunRecord.lease_expires_at.type),
        held_progress_id=bindparam("progress_id", type_=Integer),
    )
    .execution_options(synchronize_session=False)
)
_DROP_FILES = (
    delete(ResultFile).where(*_WITHOUT_RESULT).execution_options(synchronize_session=False)
)


@dataclass(frozen=True)
class Claim:
    """A lease on a run; `credential` is shown this once.

    `has_recorded_set`: the run's tests were written down when it was asked for: `recorded`. Those
    in `reported` have a result. `run` has the columns of the run and its fork, `definitions` is the
    version of regression tests. All is of the moment when it was taken.
    """

    attempt_id: int
    number: int
    credential: str
    run_id: int
    has_recorded_set: bool
    recorded: frozenset[int]
    reported: frozenset[int]
    lease_expires_at: datetime
    deadline_at: datetime
    run: Any
    definitions: Version | None


def claim(
    platform: Platform,
    runner_name: str,
    *,
    account: Account,
    lease_seconds: int,
    run_time_limit: int,
) -> Claim | None:
    """Take the oldest waiting run of `platform`, or None when there is none for us.

    Never one that the existing scheduler has given a machine, and none in maintenance. Runs whose
    third lease was lost are canceled on the way. Runs that others are taking at this moment are
    passed by.
    """
    # Of the few oldest, others may be taking each one at this moment. Most often the record tells
    # all there is to know of them; what else decides is seen under the lock.
    ids, are_sure = open_runs.oldest_candidates(platform, most=FIRST_CANDIDATES), False
    while ids:
        # Most often nobody is at the oldest one: what is asked next is of that one.
        oldest = {"run_id": ids[0]}
        locked, held, tests = fetch_each(
            (_LOCK_ONE, {"first": ids[0], "ids": ids}), (_HELD, oldest), (_TESTS, oldest)
        )
        run_id = locked[0].id if locked else None
        if run_id not in (None, ids[0]):
            another = {"run_id": run_id}
            held, tests = fetch_each((_HELD, another), (_TESTS, another))
        if run_id is not None and _waits(held[0]):
            lost = _give_up(held[0])
            if lost is not None:
                return _take(
                    held[0], lost, {test for (test,) in tests}, platform, runner_name, account,
                    lease_seconds, run_time_limit,
                )  # fmt: skip
        seen = ids[-1] if run_id is None else run_id
        rest = [other for other in ids if other > seen] if are_sure else []
        ids, are_sure = rest or open_runs.oldest_waiting(platform, after=seen), True
    return None


def expire() -> int:
    """Write down every lease that has expired; how many there were.

    The next claim does the same for the run that it takes, so this only keeps the tables tidy.
    """
    expired = db.session.scalars(
        select(RunRecord.test_id).where(
            RunRecord.lease_expires_at.is_not(None), RunRecord.lease_expires_at < utc_now()
        )
    ).all()
    count = 0
    for run_id in expired:
        if state.lock(run_id) is None:
            continue
        (held,) = fetch(_HELD, {"run_id": run_id})
        if not held.is_expired:
            continue
        count += 1
        if held.status is not None and held.status.has_ended:
            end_open_attempts(run_id, EndReason.canceled)
            _forget_lease(run_id, held.lost_attempts)
        else:
            _give_up(held)
    return count


def _waits(held: Row[Any]) -> bool:
    """Whether a run that is locked now waits for a runner, by its row of `_HELD`."""
    if not held.may_be_handed_out:
        return False
    if held.is_new:
        return True
    goes_on = held.status is not None and not held.status.has_ended  # None: no word of ours
    return goes_on and bool(held.is_as_left) and (not held.is_leased or bool(held.is_expired))


def _give_up(held: Row[Any]) -> int | None:
    """Write down what a locked run's last attempt left behind; how many attempts it has lost now.

    None when that was one too many: the run was canceled.
    """
    lost: int = held.lost_attempts
    attempt_id = None
    if held.status is not None and held.is_expired:
        lost += 1
    if held.is_leased or held.has_open_attempt:
        attempt_id = end_open_attempts(held.test_id, EndReason.lease_expired)
        _forget_lease(held.test_id, lost)
    if held.status is None or lost < MOST_LOST_ATTEMPTS:
        return lost
    state.end(
        held.test_id,
        TestStatus.canceled,
        LOST_MESSAGE.format(count=lost),
        cause=ProgressCause.infrastructure,
        attempt_id=attempt_id,
    )
    return None


def _take(
    held: Row[Any],
    lost: int,
    tests: set[int],
    platform: Platform,
    runner_name: str,
    account: Account,
    lease_seconds: int,
    run_time_limit: int,
) -> Claim:
    run_id, number = held.test_id, held.attempts + 1
    until = held.now + timedelta(seconds=lease_seconds)
    deadline = held.now + timedelta(seconds=run_time_limit)
    credential = "spca_" + secrets.token_urlsafe(32)
    attempt, progress = change_each(
        (
            _ATTEMPT,
            {
                "test_id": run_id,
                "number": number,
                "platform": platform,
                "runner_name": runner_name,
                "account_id": account.id,
                "credential_hash": fingerprint(credential),
                "claimed_at": held.now,
                "deadline_at": deadline,
            },
        ),
        state.event(run_id, TestStatus.preparation, f"Attempt {number}: taken by {runner_name}."),
    )
    attempt_id, progress_id = attempt.row_id, progress.row_id
    state.record(progress_id, attempt_id=attempt_id, step=0)
    if held.has_files_without_result:
        # Their result never came: this attempt reports both together.
        change_along(_DROP_FILES, {"run_id": run_id})
    change_along(
        _LEASE,
        {
            "run_id": run_id,
            "number": number,
            # Without any progress it never was taken, or the existing site has restarted it.
            "lost": 0 if held.status is None else lost,
            "until": until,
            "progress_id": progress_id,
        },
    )
    return Claim(
        attempt_id=attempt_id,
        number=number,
        credential=credential,
        run_id=run_id,
        has_recorded_set=bool(held.has_recorded_set),
        recorded=frozenset(test for test in tests if test > 0),
        reported=frozenset(-test for test in tests if test < 0),
        lease_expires_at=until,
        deadline_at=deadline,
        run=held,
        definitions=version_of_definitions(held),
    )


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
