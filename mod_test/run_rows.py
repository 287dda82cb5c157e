"""Runs as rows: one statement for what a run is, filtered, sorted and paged in the database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
)
from sqlalchemy.orm import aliased

from database import db, fetch, in_this_order, utc_now
from mod_auth.models import User
from mod_test import repositories
from mod_test.counts import Standing
from mod_test.models import (
    Fork,
    Platform,
    Progress,
    ProgressCause,
    ProgressRecord,
    Run,
    RunRecord,
    RunRequester,
    RunType,
    TestStatus,
)
from mod_test.rollup import opened
from mod_test.rollup.kept import IS_KEPT, PENDING
from mod_test.rollup.tables import RunRollup
from mod_test.validity import IS_VALID
from mod_test.verdict import RunStatus, last_progress_id, status_of_run

Last = aliased(Progress, name="last")
ENDED = [status for status in TestStatus if status.has_ended]
STATUSES = {status.value: status for status in RunStatus}


@dataclass(frozen=True)
class RunRow:
    """A run as the tables have it, with its status; counts are in `mod_test.standings`."""

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
    last_message: str | None
    last_cause: ProgressCause | None
    attempts: int
    requested_by: str | None
    requester_id: int | None
    reason: str | None
    retry_of: int | None
    environment_id: str | None
    standing: Standing | None = field(repr=False)  # of a run that is rolled up; else it is derived

    @property
    def duration_ms(self) -> int | None:
        """From the first progress to the end, in milliseconds; None while it goes on."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0, round((self.ended_at - self.started_at).total_seconds() * 1000))


def started_at() -> Any:
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
    """Whether a run (of `joined`) has ended."""
    return Last.status.in_(ENDED)


# Composed once: each request would otherwise build these trees anew.
IS_LAST = is_last(Run.id)
_asked, _owner = aliased(RunRequester), aliased(User)
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
    """The rows (`as_run`) of the runs of a page: they are valid, and it has their `run_id`,
    `status` and `started_at`."""
    known = {"status": page.c.status, "started_at": page.c.started_at}
    columns = [known.get(column.name, column) for column in COLUMNS]
    of_run = select(*columns).select_from(page).join(Run, Run.id == page.c.run_id)
    return in_this_order(_with_people(_with_kept(_with_progress(of_run))))


def _with_progress(of_run: Select[Any]) -> Select[Any]:
    return (
        of_run.join(Fork, Fork.id == Run.fork_id)
        .join(RunRecord, RunRecord.test_id == Run.id)
        .outerjoin(Last, IS_LAST)
    )


def _with_kept(of_run: Select[Any]) -> Select[Any]:
    return of_run.outerjoin(RunRollup, and_(RunRollup.test_id == Run.id, IS_KEPT))


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


STATUS = case((RunRollup.test_id.is_not(None), RunRollup.status), else_=status_of_run(Last)).label(
    "status"
)
STARTED_AT = case((RunRollup.test_id.is_not(None), RunRollup.started_at), else_=started_at()).label(
    "started_at"
)
COLUMNS = (
    Run.id,
    STATUS,
    Run.platform,
    Run.test_type,
    Fork.github,
    Run.branch,
    Run.commit,
    Run.pr_nr,
    RunRecord.created_at,
    STARTED_AT,
    case((Last.status.in_(ENDED), Last.timestamp)).label("ended_at"),
    Last.message.label("last_message"),
    ProgressRecord.cause.label("last_cause"),
    RunRecord.attempts,
    User.name.label("requested_by"),
    User.id.label("requester_id"),
    RunRecord.reason,
    RunRecord.retry_of,
    RunRecord.environment_id,
    RunRollup.results,
    RunRollup.failed,
    RunRollup.missing_output,
    RunRollup.skipped,
    RunRollup.errors,
)

# Written once: composing statements of this size costs more than the database needs for them.
ROWS = _with_people(joined(*COLUMNS))
_KEPT_ONE = shown(
    select(RunRollup.test_id.label("run_id"), RunRollup.status, RunRollup.started_at)
    .where(RunRollup.test_id == bindparam("run_id"), IS_KEPT)
    .subquery("page")
)
_ONE = ROWS.where(Run.id == bindparam("run_id"))


def find(run_id: int, *, at_once: bool = False) -> RunRow | None:
    """One run, or None when there is none that is valid; in two statements where it is not kept,
    unless it is wanted `at_once`.

    Deriving is a long statement to read for the database, and most runs need none.
    """
    for statement in (_ONE,) if at_once else (_KEPT_ONE, _ONE):
        row = fetch(statement, {"run_id": run_id}).first()
        if row is not None:
            return as_run(row)
    return None


def find_all(run_ids: Sequence[int]) -> dict[int, RunRow]:
    """Several runs by id, in one statement; the ones that are not there are left out."""
    rows = db.session.execute(ROWS.where(Run.id.in_(run_ids)))
    return {row.id: as_run(row) for row in rows}


def as_run(row: Any) -> RunRow:
    """A row of `COLUMNS`, which may have more behind them."""
    (
        run_id, status, platform, test_type, github, branch, commit, pull_request, created_at,
        started, ended, message, cause, attempts, requested_by, requester_id, reason, retry_of,
        environment_id, results, failed, missing_output, skipped, errors,
    ) = row[: len(COLUMNS)]  # fmt: skip
    repository = repositories.name_of(github)
    if repository is None:
        raise ValueError(f"run {run_id} passed as valid without a repository")
    standing = None
    if results is not None:
        passed = results - failed - missing_output
        standing = Standing(passed, failed, missing_output, skipped, errors)
    return RunRow(
        run_id=run_id,
        status=STATUSES[status],
        platform=platform,
        test_type=test_type,
        repository=repository,
        branch=branch or None,
        commit_sha=commit.lower(),
        pull_request=pull_request if pull_request > 0 else None,
        created_at=created_at,
        started_at=started,
        ended_at=ended,
        last_message=message,
        last_cause=cause,
        attempts=attempts,
        requested_by=requested_by,
        requester_id=requester_id,
        reason=reason,
        retry_of=retry_of,
        environment_id=environment_id,
        standing=standing,
    )


def stamp(run_id: int) -> None:
    """Give a run its record now, and keep it as open, where no trigger has done so."""
    stamped = exists().where(RunRecord.test_id == run_id)
    missing = select(Run.id, utc_now()).where(Run.id == run_id, ~stamped)
    db.session.execute(insert(RunRecord).from_select(["test_id", "created_at"], missing))
    opened.write_down(run_id)


def stamp_unseen() -> None:
    """Give every run without a record one, where the account may not create triggers, and keep it
    as open.

    A run gets the time of its first progress, else that of its being seen now.
    """
    first = (
        select(func.min(Progress.timestamp))
        .where(Progress.test_id == Run.id)
        .correlate(Run)
        .scalar_subquery()
    )
    unseen = select(Run.id, func.coalesce(first, utc_now())).where(
        ~exists().where(RunRecord.test_id == Run.id)
    )
    db.session.execute(insert(RunRecord).from_select(["test_id", "created_at"], unseen))
    opened.write_down()
