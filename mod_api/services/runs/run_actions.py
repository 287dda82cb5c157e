"""Actions on runs: start, cancel, retry."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from config import Settings
from database import db, fetch_values
from errors import Forbidden, Unavailable, Unprocessable
from mod_api.services.runs import runs
from mod_api.services.runs.runs import RunView
from mod_auth import accounts, audit, github, permissions
from mod_auth.accounts import Account
from mod_ci import queue
from mod_ci.models import EndReason
from mod_regression.models import RegressionTest
from mod_test import failures, repositories, sets, state
from mod_test.models import (
    CustomizedTest,
    Platform,
    ProgressCause,
    Run,
    RunRecord,
    RunRequester,
    RunType,
    TestStatus,
)
from mod_test.run_records import stamp
from mod_test.run_rows import RunRow
from mod_test.sets import is_active


@dataclass(frozen=True)
class RunAction:
    """The outcome of a cancel or retry."""

    run_id: int
    action: str
    status: str
    message: str
    new_run_id: int | None = None


def known_to_github(by: Account, settings: Settings, repository: str) -> Account:
    """The account with its GitHub login, asked for (three seconds at most) where it counts and is
    not known yet: for a run of a fork. Not to be called within a unit of work.

    Raises Unavailable where GitHub does not answer and only its answer could open the repository.
    """
    main = settings.main_repository
    if not permissions.is_fork(repository, main_repository=main):
        return by
    try:
        return github.look_up_login(settings, by)
    except Unavailable:
        allowed = settings.allowed_repositories
        if permissions.may_start(
            by, repository, main_repository=main, allowed_repositories=allowed
        ):
            return by
        raise


def create(
    *,
    by: Account,
    settings: Settings,
    base: str,
    repository: str,
    commit_sha: str,
    platform: str,
    branch: str = "",
    pull_request: int | None = None,
    regression_test_ids: Sequence[int] | None = None,
    environment_id: str | None = None,
) -> RunView:
    """Queue a run of a commit.

    Raises Forbidden when `by` may not start this repository, Unprocessable for tests that are not
    there or not active, or an environment of another platform.
    """
    permissions.refuse_blocked(by)
    if not permissions.may_start(
        by,
        repository,
        main_repository=settings.main_repository,
        allowed_repositories=settings.allowed_repositories,
    ):
        raise Forbidden(
            f"This account may not start runs of {repository}.",
            repository=repository,
            role=by.role.value,
        )
    if environment_id is not None and environment_id != platform:
        raise Unprocessable(
            f"environment_id {environment_id!r} is no environment of {platform}.",
            environment_id=environment_id,
            environment_ids=[platform],
        )
    run_id = insert_run(
        by=by,
        repository=repository,
        commit_sha=commit_sha,
        platform=Platform(platform),
        branch=branch,
        pull_request=pull_request,
        regression_ids=_chosen(regression_test_ids),
        environment_id=environment_id,
    )
    audit.record(
        "run.started", by=by, subject=("run", run_id), repository=repository, commit=commit_sha
    )
    return runs.get(run_id, base=base)


def cancel(run_id: int, *, by: Account, reason: str | None = None) -> RunAction:
    """Stop a run that has not ended; canceling one that has is a no-op.

    Raises NotFound, and Forbidden when `by` may not cancel this run.
    """
    run = runs.get_row(run_id)
    if not permissions.may_change_run(by, run.requester_id):
        raise Forbidden("Only who started a run, or a tester, may cancel it.", run_id=run_id)
    message = f"Canceled by {by.name}" + (f": {reason}" if reason else ".")
    # The state is decided under the run's lock: the race with the runner's last report ends there.
    if not state.end(
        run_id, TestStatus.canceled, message, cause=ProgressCause.person, account_id=by.id
    ):
        return RunAction(run_id, "cancel", "no_op", f"Run {run_id} has ended already.")
    queue.end_open_attempts(run_id, EndReason.canceled)
    audit.record("run.canceled", by=by, subject=("run", run_id), reason=reason)
    return RunAction(run_id, "cancel", "accepted", message)


def retry(
    run_id: int,
    *,
    by: Account,
    settings: Settings,
    failed_only: bool = False,
    regression_test_ids: Sequence[int] | None = None,
    reason: str | None = None,
) -> RunAction:
    """Queue a new run of the same commit, set and platform; the source stays as it is.

    Raises NotFound, Forbidden, and Unprocessable when no test would be left to run.
    """
    permissions.refuse_blocked(by)
    run = runs.get_row(run_id)
    starter = accounts.get(run.requester_id) if run.requester_id else None
    if not permissions.may_retry(
        by,
        starter,
        run.repository,
        main_repository=settings.main_repository,
        allowed_repositories=settings.allowed_repositories,
    ):
        raise Forbidden("This account may not repeat this run.", run_id=run_id)
    asked_for = sets.asked_for(run)
    wanted = _failed(run) if failed_only else asked_for
    if regression_test_ids is not None:
        foreign = sorted({*regression_test_ids} - {*asked_for, *sets.regression_ids(run)})
        if foreign:
            raise Unprocessable("The run has no such tests.", unknown_ids=foreign)
        wanted = sorted(set(wanted) & set(regression_test_ids))
    active = _active(wanted)
    if not active:
        raise Unprocessable("No active regression test is left to run.", run_id=run_id)
    new_id = insert_run(
        by=by,
        repository=run.repository,
        commit_sha=run.commit_sha,
        platform=run.platform,
        branch=run.branch or "",
        pull_request=run.pull_request,
        regression_ids=active,
        environment_id=run.environment_id,
        retry_of=run_id,
        reason=reason,
    )
    audit.record(
        "run.retried", by=by, subject=("run", run_id), new_run_id=new_id,
        failed_only=failed_only, reason=reason,
    )  # fmt: skip
    return RunAction(run_id, "retry", "accepted", f"Run {new_id} was queued.", new_id)


def insert_run(
    *,
    by: Account,
    repository: str,
    commit_sha: str,
    platform: Platform,
    branch: str,
    pull_request: int | None,
    regression_ids: Sequence[int],
    environment_id: str | None = None,
    retry_of: int | None = None,
    reason: str | None = None,
) -> int:
    """Insert a run with its recorded set and who asked for it; the new run's id."""
    run = Run(
        platform=platform,
        test_type=RunType.pr if pull_request else RunType.commit,
        token=secrets.token_hex(32),
        fork_id=repositories.id_for(repository),
        branch=branch,
        commit=commit_sha.lower(),
        pr_nr=pull_request or 0,
    )
    db.session.add(run)
    db.session.flush()
    ours = {"retry_of": retry_of, "reason": reason, "environment_id": environment_id}
    stamp(run.id)
    db.session.execute(update(RunRecord).where(RunRecord.test_id == run.id).values(ours))
    db.session.execute(
        insert(CustomizedTest),
        [{"test_id": run.id, "regression_id": regression_id} for regression_id in regression_ids],
    )
    db.session.add(RunRequester(user_id=by.id, test_id=run.id))
    db.session.flush()
    return run.id


def _chosen(wanted: Sequence[int] | None) -> list[int]:
    """The tests of a new run: those that were asked for, else all active ones."""
    if wanted is None:
        active = db.session.scalars(
            select(RegressionTest.id).where(is_active()).order_by(RegressionTest.id)
        ).all()
        if not active:
            raise Unprocessable("There is no active regression test to run.")
        return list(active)
    if not wanted:
        raise Unprocessable("regression_test_ids is empty: there would be nothing to run.")
    known = dict(
        db.session.execute(
            select(RegressionTest.id, is_active()).where(RegressionTest.id.in_(wanted))
        )
        .tuples()
        .all()
    )
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise Unprocessable("regression_test_ids contains unknown test IDs.", unknown_ids=unknown)
    inactive = sorted(test_id for test_id, active in known.items() if not active)
    if inactive:
        raise Unprocessable(
            "regression_test_ids contains inactive test IDs.", inactive_ids=inactive
        )
    return sorted(known)


def _active(wanted: Collection[int]) -> list[int]:
    return list(
        db.session.scalars(
            select(RegressionTest.id)
            .where(RegressionTest.id.in_(sorted(wanted)), is_active())
            .order_by(RegressionTest.id)
        )
    )


def _failed(run: RunRow) -> list[int]:
    """The tests of an ended run that failed or produced nothing."""
    if not run.status.has_ended:
        raise Unprocessable(
            "The run has not ended yet: its failed tests are not known.", run_id=run.run_id
        )
    failed = fetch_values(_FAILED, {"ids": [run.run_id]})
    if not failed:
        raise Unprocessable("No test of this run failed.", run_id=run.run_id)
    return sorted(failed)


_failing = failures.failing(failures.of_runs).subquery("failing")
_FAILED = select(_failing.c.regression_test_id)
