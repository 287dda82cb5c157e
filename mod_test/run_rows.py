"""Runs as rows: what a run is, kept or derived, filtered, sorted and paged in the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.orm import aliased

from database import fetch, in_this_order, later_of
from mod_auth.models import User
from mod_test import repositories
from mod_test.cancellations import EndFailure, end_failure
from mod_test.counts import RunCounts
from mod_test.models import (
    Fork,
    Platform,
    Progress,
    ProgressRecord,
    Run,
    RunRecord,
    RunRequester,
    RunType,
    TestStatus,
)
from mod_test.rollup import kept
from mod_test.rollup.kept import IS_KEPT, PENDING
from mod_test.rollup.tables import RunRollup
from mod_test.validity import IS_VALID
from mod_test.verdict import RunStatus, last_progress_id, lease_ran_out, status_of_run

Kind = TypeVar("Kind", bound="RunRow")
Last = aliased(Progress, name="last")
ENDED = [status for status in TestStatus if status.has_ended]
STATUSES = {status.value: status for status in RunStatus}


@dataclass(slots=True)
class RunRow:
    """A run as the tables have it, with its status; what is kept of its counts, too.

    `set_id` is the set of an ended run that is kept. `skipped` is None where it depends on today's
    active tests, `errors` and the others where nothing is kept: `mod_test.run_counts` has them.
    """

    run_id: int
    status: RunStatus
    platform: Platform
    test_type: RunType | None
    repository: str
    branch: str | None
    commit_sha: str
    pull_request: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    end_failure: EndFailure | None
    attempts: int
    failed_attempts: int
    requested_by: str | None
    requester_id: int | None
    reason: str | None
    retry_of: int | None
    environment_id: str | None
    set_id: int | None = field(repr=False)
    results: int | None = field(repr=False)
    failed: int | None = field(repr=False)
    missing_output: int | None = field(repr=False)
    skipped: int | None = field(repr=False)
    errors: int | None = field(repr=False)

    @property
    def duration_ms(self) -> int | None:
        """From the first progress to the end, in milliseconds; None while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, round((self.ended_at - self.started_at).total_seconds() * 1000))

    @property
    def is_kept(self) -> bool:
        """Return whether counts of it are kept."""
        return self.errors is not None

    @property
    def kept_counts(self) -> RunCounts | None:
        """The counts of a run of which all are kept."""
        return None if self.skipped is None else self.counts_with(self.skipped)

    def counts_with(self, skipped: int) -> RunCounts | None:
        """The counts with so many tests without a result; None where no counts are kept."""
        results, failed, missing = self.results, self.failed, self.missing_output
        if results is None or failed is None or missing is None or self.errors is None:
            return None
        return RunCounts(results - failed - missing, failed, missing, skipped, self.errors)

    @property
    def infrastructure_errors(self) -> int:
        """Return how many failures of the infrastructure it has: those of its attempts, and what
        its end tells of that no attempt does."""
        is_repeated = self.end_failure is EndFailure.own and self.failed_attempts > 0
        by_end = self.end_failure is not None and not is_repeated
        return self.failed_attempts + (by_end or self.status is RunStatus.error)


def started_at() -> Any:
    """When a run started, of a `Run` joined to its record: `taken_at`, but not before its creation.

    Of two clocks with different precision the later one would else be rounded down below the
    earlier.
    """
    return later_of(taken_at(), RunRecord.created_at)


def ended_at() -> Any:
    """When a run that has ended did: the time of its latest event, but not before its creation."""
    return later_of(latest_event_at(), RunRecord.created_at)


def latest_event_at() -> Any:
    """The latest time of a run's progress: mostly that of the last event, unless a clock went
    back."""
    event = aliased(Progress)
    return (
        select(func.max(event.timestamp))
        .where(event.test_id == Run.id)
        .correlate(Run)
        .scalar_subquery()
    )


def taken_at() -> Any:
    """When the first runner took the run: the time of its first `preparation` or `testing`."""
    first = aliased(Progress)
    return (
        select(first.timestamp)
        .where(
            first.test_id == Run.id,
            first.status.in_([TestStatus.preparation, TestStatus.testing]),
        )
        .order_by(first.id)
        .limit(1)
        .correlate(Run)
        .scalar_subquery()
    )


def is_last(run_id: Any) -> ColumnElement[bool]:
    """How `Last` is joined: the newest progress of a run."""
    return and_(Last.test_id == run_id, Last.id == last_progress_id(run_id))


def has_ended() -> ColumnElement[bool]:
    """Return whether a run (of `joined`) has ended."""
    return Last.status.in_(ENDED)


# Composed once: each request would otherwise build these trees anew.
IS_LAST = is_last(Run.id)
_asked, _owner = aliased(RunRequester), aliased(User)
# The first of a run's requesters that is an account.
FIRST_REQUESTER: Any = (
    select(func.min(_asked.id))
    .join(_owner, _owner.id == _asked.user_id)
    .where(_asked.test_id == Run.id)
    .correlate_except(_asked, _owner)
    .scalar_subquery()
)


def joined(*columns: Any) -> Select[Any]:
    """`columns` of valid runs with their fork, record and last progress.

    A run without a valid commit, fork or platform is left out; `flask check` names it.
    """
    of_run = select(*columns).select_from(Run)
    return _with_kept(_with_progress(of_run)).where(*IS_VALID)


def pending(*columns: Any) -> Select[Any]:
    """`columns` of the valid runs that are not kept, with their fork, record and last progress."""
    of_run = select(*columns).select_from(PENDING).join(Run, Run.id == PENDING.c.test_id)
    return in_this_order(_with_progress(of_run)).where(*IS_VALID)


def shown(page: Subquery) -> Select[Any]:
    """The rows (`as_run`) of the runs of a page, kept or not: they are valid, and it has their
    `run_id`."""
    of_run = select(*_DERIVED).select_from(page).join(Run, Run.id == page.c.run_id)
    return in_this_order(_with_people(_with_kept(_with_progress(of_run))))


def shown_kept(page: Subquery) -> Select[Any]:
    """The same of a page of kept runs: it has their `run_id`."""
    of_run = select(*_KEPT).select_from(page).join(RunRollup, RunRollup.test_id == page.c.run_id)
    return _with_kept_facts(of_run)


def _with_progress(of_run: Select[Any]) -> Select[Any]:
    return (
        of_run.join(Fork, Fork.id == Run.fork_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .outerjoin(Last, IS_LAST)
    )


def _with_kept(of_run: Select[Any]) -> Select[Any]:
    return of_run.outerjoin(RunRollup, and_(RunRollup.test_id == Run.id, IS_KEPT))


def _with_kept_facts(of_run: Select[Any]) -> Select[Any]:
    return in_this_order(
        of_run.join(Run, Run.id == RunRollup.test_id)
        .join(Fork, Fork.id == Run.fork_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .outerjoin(User, User.id == RunRollup.requester_id)
    )


def _with_people(of_run: Select[Any]) -> Select[Any]:
    """With what a row tells beside: who is behind the last progress, and who asked for the run."""
    return (
        of_run.outerjoin(ProgressRecord, ProgressRecord.progress_id == Last.id)
        .outerjoin(
            RunRequester,
            and_(RunRequester.test_id == Run.id, RunRequester.id == FIRST_REQUESTER),
        )
        .outerjoin(User, User.id == RunRequester.user_id)
    )


# A run that goes on is kept with the status that it has while its lease lasts.
KEPT_STATUS = case(
    (
        and_(
            RunRollup.set_id.is_(None),
            RunRollup.status == RunStatus.running.value,
            lease_ran_out(RunRollup.progress_id),
        ),
        RunStatus.queued.value,
    ),
    else_=RunRollup.status,
).label("status")
_IS_KEPT_HERE = RunRollup.test_id.is_not(None)
STATUS = case((_IS_KEPT_HERE, KEPT_STATUS), else_=status_of_run(Last)).label("status")
STARTED_AT = case((_IS_KEPT_HERE, RunRollup.started_at), else_=started_at()).label("started_at")


def _columns(status: Any, started: Any, ended: Any, person: Any = User) -> tuple[Any, ...]:
    return (
        Run.id,
        status,
        Run.platform,
        Run.test_type,
        Fork.github,
        Run.branch,
        Run.commit,
        Run.pr_nr,
        RunRecord.created_at,
        started,
        ended,
        RunRollup.end_failure,
        RunRecord.attempts,
        RunRecord.failed_attempts,
        person.name.label("requested_by"),
        person.id.label("requester_id"),
        RunRecord.reason,
        RunRecord.retry_of,
        RunRecord.environment_id,
        RunRollup.set_id,
        RunRollup.results,
        RunRollup.failed,
        RunRollup.missing_output,
        RunRollup.skipped,
        RunRollup.errors,
    )


_KEPT = _columns(KEPT_STATUS, RunRollup.started_at, RunRollup.ended_at)
_DERIVED = (
    *_columns(STATUS, STARTED_AT, case((Last.status.in_(ENDED), ended_at())).label("ended_at")),
    Last.message.label("last_message"),
    ProgressRecord.cause.label("last_cause"),
)
COLUMNS = len(_KEPT)

# Written once: composing statements of this size costs more than the database needs for them.
ROWS = _with_people(joined(*_DERIVED))
_IDS: Any = bindparam("run_ids", expanding=True)
_KEPT_ROWS = _with_kept_facts(
    select(*_KEPT).select_from(RunRollup).where(RunRollup.test_id.in_(_IDS), IS_KEPT)
)
_ALL_ROWS = ROWS.where(Run.id.in_(_IDS))


def find(run_id: int) -> RunRow | None:
    """One run, or None when there is none that is valid."""
    return find_all([run_id]).get(run_id)


def find_all(run_ids: Sequence[int]) -> dict[int, RunRow]:
    """Several runs by id; the ones that are not there are left out."""
    return {row[0]: as_run(row) for row in rows_of(run_ids)}


def rows_of(run_ids: Sequence[int]) -> Sequence[Any]:
    """The rows (`as_run`) of these runs, without those that are not there.

    Deriving is a long statement to read for the database, and most runs need none.
    """
    marks = kept.known()
    found: Sequence[Any] = []
    if not set(run_ids) <= set(marks.concerned):
        found = fetch(_KEPT_ROWS, {"run_ids": list(run_ids)})
    if marks.is_quiet or len(found) == len(set(run_ids)):
        return found
    return fetch(_ALL_ROWS, {"run_ids": list(run_ids)})


def as_run(row: Any, kind: type[Kind] = RunRow) -> Kind:  # type: ignore[assignment]  # the usual kind
    """A row of a kept or a derived run, which may have more behind it."""
    (
        run_id, status, platform, test_type, github, branch, commit, pull_request, created_at,
        started, ended, failure, attempts, failed_attempts, requested_by, requester_id, reason,
        retry_of, environment_id, set_id, results, failed, missing_output, skipped, errors,
    ) = row[:COLUMNS]  # fmt: skip
    repository = repositories.name_of(github)
    if repository is None:
        raise ValueError(f"run {run_id} passed as valid without a repository")
    known_status = STATUSES[status]
    if results is None and known_status is RunStatus.canceled:
        failure = end_failure(row.last_cause, row.last_message)
    return kind(
        run_id, known_status, platform, test_type, repository, branch or None, commit.lower(),
        pull_request if pull_request > 0 else None, created_at, started, ended, failure, attempts,
        failed_attempts, requested_by, requester_id, reason, retry_of, environment_id, set_id,
        results, failed, missing_output, skipped, errors,
    )  # fmt: skip
