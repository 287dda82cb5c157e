"""The existing workers' protocol (docs/existing-platform.md), faithful and safe.

Each kind of post is one function that answers `OK`, `FAIL` (refused) or `EMPTY` (no file). What
cannot be stored raises, so that the worker gets a 5xx; the same post twice is harmless. Workers
send only their progress and log again, and lose a result whose post fails: errors of the database
that pass by are met with another try of ours.
"""

import enum
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    Insert,
    Integer,
    Select,
    Table,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased

from database import (
    db,
    execute,
    fetch,
    fetch_first,
    persistently,
    reading,
    utc_after,
    utc_now,
    writing,
)
from errors import Unavailable
from mod_auth import credentials
from mod_ci.results import as_exit_code, belongs_to, keep
from mod_regression.models import (
    BaselineChange,
    BaselineDecision,
    RegressionTest,
    RegressionTestOutput,
)
from mod_sample.storage import (
    ArtifactKind,
    Readable,
    Repository,
    StorageUnavailable,
    artifact_key,
    log_key,
)
from mod_test import last_passed, state
from mod_test.models import (
    Platform,
    Progress,
    ProgressCause,
    ProgressRecord,
    Result,
    ResultFile,
    Run,
    RunRecord,
    TestStatus,
)

LATE_SECONDS = 3600
Columns = Mapping[str, Any]

# Composed once: a run brings hundreds of results, and building these cost more than the database.
_RUN_ID = bindparam("run_id", type_=Integer)
_TEST_ID = bindparam("regression_id", type_=Integer)
_OUTPUT_ID = bindparam("output_id", type_=Integer)
_KNOWN = select(Run.token, Run.platform).where(Run.id == _RUN_ID)
_LOCK_TOKEN = select(Run.token).where(Run.id == _RUN_ID).with_for_update()
_IS_OURS = exists().where(RunRecord.test_id == _RUN_ID, RunRecord.lease_expires_at >= utc_now())
_LAST_STATUS = (
    select(Progress.status)
    .where(Progress.test_id == _RUN_ID)
    .order_by(Progress.id.desc())
    .limit(1)
    .scalar_subquery()
)
_REFUSALS = select(_LAST_STATUS.label("status"), _IS_OURS.label("is_ours"))
# When the run began testing, else preparation; of our own posts to the millisecond.
_BEGAN = (
    select(func.coalesce(ProgressRecord.recorded_at, Progress.timestamp))
    .select_from(Progress)
    .outerjoin(ProgressRecord, ProgressRecord.progress_id == Progress.id)
    .where(
        Progress.test_id == _RUN_ID,
        Progress.status.in_([TestStatus.testing, TestStatus.preparation]),
    )
    .order_by(Progress.status == TestStatus.preparation, Progress.id)
    .limit(1)
    .scalar_subquery()
)
# The first change of an output's baseline since then: the worker compared with what it replaced.
_CHANGE = aliased(BaselineChange)
_FIRST_CHANGE = (
    select(func.min(_CHANGE.id))
    .join(BaselineDecision, BaselineDecision.approval_id == _CHANGE.approval_id)
    .where(
        _CHANGE.output_id == _OUTPUT_ID,
        _CHANGE.variant_id.is_(None),
        BaselineDecision.decided_at > _BEGAN,
    )
    .scalar_subquery()
)
# What an output was held against, and what the run has of it; no row: the run has no such test.
_EXPECTED_OUTPUT = (
    select(
        _LAST_STATUS.label("status"),
        _IS_OURS.label("is_ours"),
        RegressionTestOutput.id.label("output_id"),
        case(
            (BaselineChange.id.is_not(None), BaselineChange.replaced_hash),
            else_=RegressionTestOutput.correct,
        ).label("correct"),
        ResultFile.test_id.label("reported_in"),
    )
    .select_from(RegressionTest)
    .outerjoin(
        RegressionTestOutput,
        and_(
            RegressionTestOutput.regression_id == RegressionTest.id,
            RegressionTestOutput.id == _OUTPUT_ID,
            RegressionTestOutput.id > 0,
        ),
    )
    .outerjoin(BaselineChange, BaselineChange.id == _FIRST_CHANGE)
    .outerjoin(
        ResultFile,
        and_(
            ResultFile.test_id == _RUN_ID,
            ResultFile.regression_test_id == RegressionTest.id,
            ResultFile.regression_test_output_id == RegressionTestOutput.id,
        ),
    )
    .where(belongs_to(_RUN_ID, _TEST_ID))
)
# What an end is held against, and whether the run has it already; no row: as above.
_EXPECTED_END = (
    select(
        _LAST_STATUS.label("status"),
        _IS_OURS.label("is_ours"),
        RegressionTest.expected_rc,
        Result.test_id.label("reported_in"),
    )
    .select_from(RegressionTest)
    .outerjoin(
        Result,
        and_(Result.test_id == _RUN_ID, Result.regression_test_id == RegressionTest.id),
    )
    .where(belongs_to(_RUN_ID, _TEST_ID))
)
_INSERT_OUTPUT = insert(cast("Table", ResultFile.__table__))
_INSERT_END = insert(cast("Table", Result.__table__))
BACKWARDS = "The worker went back from {last} to {status}; the run was canceled."


class Answer(enum.StrEnum):
    """What a worker is told, as plain text with status 200."""

    OK = "OK"
    FAIL = "FAIL"
    EMPTY = "EMPTY"


@dataclass(frozen=True)
class Post:
    """One post of a worker whose token was verified."""

    run_id: int
    token: str
    platform: Platform
    form: Mapping[str, str]
    file: Readable | None
    repository: Repository
    limit: int

    def number(self, name: str) -> int | None:
        """A form field as a whole number of 32 bits, or None when it is none."""
        value = self._integer(name)
        return value if value is not None and -(2**31) <= value < 2**31 else None

    def exit_code(self, name: str) -> int | None:
        """A form field as an exit code, or None when it is none."""
        value = self._integer(name)
        return None if value is None else as_exit_code(value)

    def _integer(self, name: str) -> int | None:
        text = self.form.get(name, "").strip()
        return int(text) if re.fullmatch("-?[0-9]{1,10}", text, re.ASCII) else None


def is_open(run_id: int, token: str) -> bool:
    """Whether this token opens the run, or has a moment ago: what has no token is not read."""
    if credentials.remembered(("worker", run_id, token)) is not None:
        return True
    return persistently(lambda: _platform_of(run_id, token)) is not None


def receive(
    run_id: int,
    token: str,
    form: Mapping[str, str],
    file: Readable | None,
    *,
    repository: Repository,
    limit: int,
) -> Answer:
    """Take one post. Raises Unavailable and database errors when it could not be stored."""
    kind = KINDS.get(form.get("type", ""))
    platform: Platform | None = None
    if kind in ASK_AGAIN:
        platform = credentials.remembered(("worker", run_id, token))
    if platform is None:
        platform = persistently(lambda: _platform_of(run_id, token))
    if kind is None or platform is None:
        return Answer.FAIL
    return kind(Post(run_id, token, platform, form, file, repository, limit))


def _platform_of(run_id: int, token: str) -> Platform | None:
    """The platform of the run that this token opens, or None."""
    with reading():
        known = fetch_first(_KNOWN, {"run_id": run_id})
    if known is None or not _same(known.token, token) or known.platform is None:
        return None
    credentials.note(("worker", run_id, token), known.platform)
    platform: Platform = known.platform
    return platform


def progress(post: Post) -> Answer:
    """Append to the run's progress; a status that goes backwards cancels the run."""
    try:
        status = TestStatus(post.form.get("status", ""))
    except ValueError:
        return Answer.FAIL
    message = state.fitting(post.form.get("message", ""))
    return persistently(lambda: _progress(post, status, message))


def _progress(post: Post, status: TestStatus, message: str) -> Answer:
    with writing():
        held = state.lock(post.run_id)
        if held is None:
            return Answer.FAIL
        if held.status is status and _repeats(held.progress_id, message):
            return Answer.OK
        if held.has_ended or _refusals(post.run_id).is_ours:
            return Answer.FAIL
        if held.status is not None and status.comes_before(held.status):
            message = BACKWARDS.format(last=held.status.value, status=status.value)
            status = TestStatus.canceled
        if status.has_ended:
            state.end(post.run_id, status, message, cause=ProgressCause.worker)
        else:
            state.append(post.run_id, status, message)
        if status is TestStatus.completed:
            last_passed.note(post.run_id, post.platform)
    return Answer.OK


def equality(post: Post) -> Answer:
    """An output that matched its baseline."""
    return _output(post, got=None, when_unknown=Answer.OK)


def upload(post: Post) -> Answer:
    """An output that differed: stored by its hash, then named by its row."""
    if post.file is None:
        return Answer.EMPTY
    extension = persistently(lambda: _extension(post))
    if extension is None:
        return Answer.FAIL
    return _output(
        post, got=keep(post.repository, post.file, extension, post.limit), when_unknown=Answer.FAIL
    )


def _extension(post: Post) -> str | None:
    """The extension of the output that is uploaded; None where it is refused."""
    with reading():
        extension: str | None = db.session.scalar(
            select(RegressionTestOutput.correct_extension).where(
                RegressionTestOutput.id == post.number("test_file_id"),
                RegressionTestOutput.regression_id == post.number("test_id"),
            )
        )
        return None if _is_refused(_refusals(post.run_id)) else extension


def finish(post: Post) -> Answer:
    """How a regression test ended."""
    regression_id, runtime = post.number("test_id"), post.number("runTime")
    code = post.exit_code("exitCode")
    if regression_id is None or runtime is None or code is None:
        return Answer.FAIL
    values = {"runtime": max(0, runtime), "exit_code": code}
    key = {"test_id": post.run_id, "regression_test_id": regression_id}
    return persistently(lambda: _end(post, key, values))


def _end(post: Post, key: Columns, values: Columns) -> Answer:
    with writing():
        found = _under_lock(_EXPECTED_END, post, regression_id=key["regression_test_id"])
        if found is None:
            return Answer.FAIL
        first = {"expected_rc": found.expected_rc or 0}
        _write(_INSERT_END, key, values, first, is_there=found.reported_in is not None)
    return Answer.OK


def logupload(post: Post) -> Answer:
    """The run's log; it may come up to an hour after the end."""
    return _late_file(post, log_key(post.run_id))


def artifactupload(post: Post) -> Answer:
    """The binary, a core dump or all output; they may come up to an hour after the end."""
    try:
        kind = ArtifactKind(post.form.get("artifact_type", ""))
    except ValueError:
        return Answer.FAIL
    return _late_file(post, artifact_key(post.run_id, kind, post.platform.value))


KINDS: dict[str, Callable[[Post], Answer]] = {
    "progress": progress,
    "equality": equality,
    "upload": upload,
    "finish": finish,
    "logupload": logupload,
    "artifactupload": artifactupload,
}
# These hold the token against the run again, under its lock; most posts are such.
ASK_AGAIN = (equality, finish)


def _same(known: str | None, given: str) -> bool:
    return bool(known) and hmac.compare_digest((known or "").encode(), given.encode())


def _repeats(progress_id: int | None, message: str) -> bool:
    """Return whether the newest event has just this message: the same post arrived twice."""
    if progress_id is None:
        return False
    return db.session.scalar(select(Progress.message).where(Progress.id == progress_id)) == message


def _refusals(run_id: int) -> Any:
    """A run's last status, and whether an attempt of ours is live on it."""
    (found,) = fetch(_REFUSALS, {"run_id": run_id})
    return found


def _is_refused(found: Any) -> bool:
    """Return whether results are taken no more: the run has ended, or is ours."""
    return bool(found.is_ours) or _has_ended(found.status)


def _has_ended(status: TestStatus | None) -> bool:
    return status is not None and status.has_ended


def _under_lock(statement: Select[Any], post: Post, **wanted: int) -> Any:
    """The row of `statement` once the run is locked; None when there is none or it is refused."""
    values = {"run_id": post.run_id, **wanted}
    locked = fetch_first(_LOCK_TOKEN, {"run_id": post.run_id})
    if locked is None or not _same(locked.token, post.token):
        return None
    found = fetch_first(statement, values)
    return None if found is None or _is_refused(found) else found


def _output(post: Post, *, got: str | None, when_unknown: Answer) -> Answer:
    regression_id, output_id = post.number("test_id"), post.number("test_file_id")
    if regression_id is None or output_id is None:
        return Answer.FAIL
    key = {
        "test_id": post.run_id,
        "regression_test_id": regression_id,
        "regression_test_output_id": output_id,
    }
    return persistently(lambda: _compared(post, key, got, when_unknown))


def _compared(post: Post, key: Columns, got: str | None, when_unknown: Answer) -> Answer:
    with writing():
        found = _under_lock(
            _EXPECTED_OUTPUT,
            post,
            regression_id=key["regression_test_id"],
            output_id=key["regression_test_output_id"],
        )
        if found is None:
            return Answer.FAIL
        if found.output_id is None:
            return when_unknown
        values = {"expected": found.correct or "", "got": got}
        _write(_INSERT_OUTPUT, key, values, {}, is_there=found.reported_in is not None)
    return Answer.OK


def _write(
    inserting: Insert, key: Columns, values: Columns, first: Columns, *, is_there: bool
) -> None:
    """Update the row that is there, else insert it, with what only the `first` post tells."""
    if is_there:
        db.session.execute(update(inserting.table).filter_by(**key).values(values))
    else:
        execute(inserting, {**key, **values, **first})


def _late_file(post: Post, key: str) -> Answer:
    if post.file is None:
        return Answer.EMPTY
    if persistently(lambda: _is_too_late(post)):
        return Answer.FAIL
    try:
        with post.repository.receive(post.file, post.limit) as received:
            post.repository.keep(received, key)
    except StorageUnavailable as error:
        raise Unavailable(f"The file could not be stored: {error}", retry_after=5) from error
    return Answer.OK


def _is_too_late(post: Post) -> bool:
    """Return whether files of the run are taken no more: it ended long ago, or is ours."""
    with reading():
        found = _refusals(post.run_id)
        in_time = not _has_ended(found.status) or bool(
            db.session.scalar(
                select(
                    exists().where(
                        Progress.test_id == post.run_id,
                        Progress.status.in_([TestStatus.completed, TestStatus.canceled]),
                        Progress.timestamp >= utc_after(-LATE_SECONDS),
                    )
                )
            )
        )
        return not in_time or bool(found.is_ours)
