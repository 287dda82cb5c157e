"""Runs: listed, looked at, started, canceled and repeated."""

import functools
import secrets
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from marshmallow import missing
from sqlalchemy import Select, insert, select, update

from config import Settings
from database import db, reading
from errors import Forbidden, NotFound, Unprocessable
from mod_api.services import keyset, links
from mod_api.services.keyset import Key, Listing, Source, Window
from mod_api.services.paging import Page
from mod_api.services.waiting import wait_for
from mod_auth import accounts, audit, github, permissions
from mod_auth.accounts import Account
from mod_ci import queue
from mod_ci.models import EndReason
from mod_regression.models import RegressionTest
from mod_test import failures, repositories, run_lists, run_rows, sets, state
from mod_test.counts import Standing
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
from mod_test.rollup import kept
from mod_test.run_filters import RunFilter
from mod_test.run_rows import RunRow
from mod_test.sets import is_active
from mod_test.standings import standing, standings, with_errors
from mod_test.verdict import RunStatus

ORDERS = {
    f"{sign}{name}": (name,) if name == "run_id" else (name, "run_id")
    for sign in ("", "-")
    for name in ("created_at", "started_at", "run_id")
}


@functools.lru_cache(maxsize=512)
def _listing(
    given: frozenset[str], sort: str, status: RunStatus | None, forks: int, is_quiet: bool
) -> Listing:
    name, down = sort.removeprefix("-"), sort.startswith("-")

    def source(statement: Select[Any], columns: dict[str, Any], *, is_joined: bool) -> Source:
        keys = [Key(columns[each], down, nullable=each == "started_at") for each in ORDERS[sort]]
        return Source(statement, tuple(keys), is_joined=is_joined)

    parts = run_lists.kept_sources(given, name, status=status, forks=forks)
    sources = [source(runs, run_lists.KEPT, is_joined=False) for runs in parts]
    if is_quiet:
        return Listing(tuple(sources), run_rows.shown_kept)
    sources.append(source(run_lists.other_runs(given), run_lists.DERIVED, is_joined=True))
    return Listing(tuple(sources), run_rows.shown)


@dataclass(slots=True)
class RunView(RunRow):
    """A run as the API shows it: `base` is what links begin with; `counts` is None where no summary
    was asked for."""

    base: str = ""
    has_errors: bool = False
    counts: dict[str, Any] | None = None

    @property
    def commit_short(self) -> str:
        return self.commit_sha[:8]

    @property
    def triggered_by(self) -> str | None:
        return self.requested_by

    @property
    def queued_at(self) -> datetime:
        return self.created_at

    @property
    def completed_at(self) -> datetime | None:
        return self.ended_at

    @property
    def run_errors(self) -> str:
        if self.has_errors or self.infrastructure_errors:
            return "yes"
        return "no" if self.status.has_ended else "unknown"

    @property
    def links(self) -> dict[str, str]:
        return links.of_run(self.run_id, self.base)

    @property
    def summary(self) -> Any:
        return missing if self.counts is None else self.counts


@dataclass(frozen=True)
class RunAction:
    """What came of asking to cancel or repeat a run."""

    run_id: int
    action: str
    status: str
    message: str
    new_run_id: int | None = None


def get_row(run_id: int) -> RunRow:
    """A run's row. Raises NotFound."""
    row = run_rows.find(run_id)
    if row is None:
        raise NotFound("run", run_id)
    return row


def get(run_id: int, *, base: str) -> RunView:
    """One run. Raises NotFound."""
    rows = run_rows.rows_of([run_id])
    if not rows:
        raise NotFound("run", run_id)
    return _views(rows, base)[0]


def wait_for_change(run_id: int, seconds: float, *, known: RunStatus | None, most: int) -> None:
    """Wait until a run has ended or has another status than `known` (than now), but not longer.

    Raises NotFound, and Unavailable when `most` requests wait already.
    """
    seen = known

    def look() -> bool | None:
        nonlocal seen
        with reading():
            status = get_row(run_id).status
        seen = seen or status
        return True if status is not seen or status.has_ended else None

    wait_for(look, seconds, most=most)


def list_runs(
    wanted: RunFilter, *, sort: str, window: Window, base: str, with_summary: bool = False
) -> Page[RunView]:
    """One page of runs with the exact number of all that match. Raises Invalid for the cursor."""
    params = wanted.params
    given = frozenset(params)
    ids = [] if wanted.repository is None else repositories.ids_of(wanted.repository)
    params |= {f"of_run_fork_{place}": fork_id for place, fork_id in enumerate(ids or [0])}
    chosen: dict[str, Any] = {"status": wanted.status, "forks": len(ids)}
    found = keyset.select_listed(
        _listing(given, sort, **chosen, is_quiet=kept.known().is_quiet),
        window,
        total=lambda: run_lists.total(given, params, **chosen),
        kind="runs",
        wanted={**asdict(wanted), "sort": sort},
        params=params,
    )
    return found.showing(_views(found.data, base, with_summary=with_summary))


def summary(run_id: int) -> dict[str, Any]:
    """A run's counts (semantics.md, "Counts"). Raises NotFound."""
    run = get_row(run_id)
    return _summary(run, standing(run))


def _summary(run: RunRow, counts: Standing) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "status": run.status,
        "total_samples": counts.total,
        "pass_count": counts.passed,
        "fail_count": counts.failed,
        "skipped_count": counts.skipped,
        "missing_output_count": counts.missing_output,
        "error_count": counts.errors,
        "infrastructure_error_count": run.infrastructure_errors,
        "duration_ms": run.duration_ms,
        "triggered_by": run.requested_by,
    }


def known_to_github(by: Account, settings: Settings, repository: str) -> Account:
    """The account with its GitHub login, asked for (three seconds at most) where it counts and is
    not known yet: for a run of a fork. Not to be called within a unit of work."""
    if not permissions.is_fork(repository, main_repository=settings.main_repository):
        return by
    return github.look_up_login(settings, by)


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
        known = [known.value for known in Platform]
        raise Unprocessable(
            f"environment_id {environment_id!r} is no environment of {platform}.",
            environment_id=environment_id,
            environment_ids=known,
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
    return get(run_id, base=base)


def cancel(run_id: int, *, by: Account, reason: str | None = None) -> RunAction:
    """Stop a run that has not ended; canceling one that has is a no-op.

    Raises NotFound, and Forbidden when `by` may not cancel this run.
    """
    run = get_row(run_id)
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
    run = get_row(run_id)
    starter = accounts.get(run.requester_id) if run.requester_id else None
    if not permissions.may_retry(
        by,
        starter,
        run.repository,
        main_repository=settings.main_repository,
        allowed_repositories=settings.allowed_repositories,
    ):
        raise Forbidden("This account may not repeat this run.", run_id=run_id)
    wanted = _failed(run) if failed_only else sets.regression_ids(run)
    if regression_test_ids is not None:
        foreign = sorted(set(regression_test_ids) - set(sets.regression_ids(run)))
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
    run_rows.stamp(run.id)
    db.session.execute(update(RunRecord).where(RunRecord.test_id == run.id).values(ours))
    db.session.execute(
        insert(CustomizedTest),
        [{"test_id": run.id, "regression_id": regression_id} for regression_id in regression_ids],
    )
    db.session.add(RunRequester(user_id=by.id, test_id=run.id))
    db.session.flush()
    return run.id


def _views(rows: Sequence[Any], base: str, *, with_summary: bool = False) -> list[RunView]:
    views = [run_rows.as_run(row, RunView) for row in rows]
    counts = standings(views) if with_summary else {}
    failing = {run_id for run_id, of in counts.items() if of.errors}
    if not with_summary:
        failing = with_errors(views)
    for view in views:
        view.base = base
        view.has_errors = view.run_id in failing
        if with_summary:
            view.counts = _summary(view, counts[view.run_id])
    return views


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
    rows = failures.failing(failures.of_runs).subquery("failing")
    failed = db.session.scalars(select(rows.c.regression_test_id), {"ids": [run.run_id]}).all()
    if not failed:
        raise Unprocessable("No test of this run failed.", run_id=run.run_id)
    return sorted(failed)
