"""Which runs wait for a runner and which are executed, without looking at those that have ended.

A run that waits or is executed is in `open_run`; or it is kept as one that has ended, because
another program has restarted it a moment ago, and then a mark tells of its progress. `open_run` may
also have runs that have just ended: what a run does is always read from its progress.
"""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    union,
)

from database import exact, fetch_values, in_this_order
from mod_ci.models import GcpInstance, Maintenance
from mod_test.models import Fork, Platform, Progress, Run, RunRecord, TestStatus
from mod_test.rollup.tables import (
    PROGRESS_UNDONE,
    OpenRun,
    RollupMark,
    RollupState,
    RunRollup,
)
from mod_test.run_rows import IS_LAST, Last
from mod_test.validity import IS_VALID
from mod_test.verdict import is_not_leased, lease_ran_out, waits

CANDIDATES = 20
_PLATFORM = bindparam("platform", type_=Run.platform.type)
LIVE = [TestStatus.preparation, TestStatus.testing]

OPEN = select(OpenRun.test_id)
_RESTARTED = in_this_order(
    select(RunRollup.test_id)
    .select_from(RollupMark)
    .join(RunRollup, RunRollup.test_id == RollupMark.run_id)
    .where(RollupMark.kind == "p", RunRollup.set_id.is_not(None))
    .distinct()
)
# Whether a run (of `among`) waits for a runner: never taken, or its lease was lost.
IS_WAITING: ColumnElement[bool] = or_(Last.id.is_(None), and_(Last.status.in_(LIVE), waits(Last)))
# What follows from that, and is told by the record alone of most runs that are executed or ended.
_MAY_WAIT: ColumnElement[bool] = or_(
    lease_ran_out(
        select(func.max(Progress.id)).where(Progress.test_id == RunRecord.test_id).scalar_subquery()
    ),
    ~exists().where(Progress.test_id == RunRecord.test_id),
)
# Runs with a machine are the existing scheduler's.
_HAS_NO_MACHINE: ColumnElement[bool] = ~exists().where(GcpInstance.test_id == Run.id)
_IS_NOT_PAUSED: ColumnElement[bool] = ~exists().where(
    exact(Maintenance.platform) == _PLATFORM, Maintenance.disabled.is_(True)
)
IS_RUNNING: ColumnElement[bool] = and_(Last.status.in_(LIVE), ~waits(Last))


def among(source: Any, *columns: Any) -> Select[Any]:
    """`columns` of the valid runs in `source.c.test_id`, with their record and last progress."""
    return in_this_order(
        select(*columns)
        .select_from(source)
        .join(RunRecord, RunRecord.test_id == source.c.test_id)
        .join(Run, Run.id == RunRecord.test_id)
        .outerjoin(Last, IS_LAST)
        .join(Fork, Fork.id == Run.fork_id)
        .where(*IS_VALID)
    )


def open_runs(*columns: Any) -> Select[Any]:
    """`columns` of every run that waits, is executed or has just ended."""
    return among(union(OPEN, _RESTARTED).subquery("open"), *columns)


def oldest_waiting(platform: Platform, *, after: int = 0, most: int = CANDIDATES) -> list[int]:
    """The oldest runs of `platform` with ids above `after` that may be handed out, in order."""
    wanted = {"platform": platform, "after": after, "most": most}
    found = {*fetch_values(_OLDEST_OPEN, wanted), *fetch_values(_OLDEST_RESTARTED, wanted)}
    return sorted(found)[:most]


def _oldest(statement: Select[Any], source: Any) -> Select[Any]:
    """The oldest of its rows that are of the platform and may wait."""
    return (
        statement.where(source.c.test_id > bindparam("after"), Run.platform == _PLATFORM)
        .where(_MAY_WAIT, _HAS_NO_MACHINE, _IS_NOT_PAUSED)
        .order_by(source.c.test_id)
        .limit(bindparam("most", type_=Integer))
    )


def _oldest_waiting(source: Any) -> Select[Any]:
    return _oldest(among(source, source.c.test_id), source).where(IS_WAITING)


# Composed once: building these costs more than the database needs for them.
_OLDEST_OPEN = _oldest_waiting(OPEN.subquery("open"))
_OLDEST_RESTARTED = _oldest_waiting(_RESTARTED.subquery("restarted"))
# What was undone of progress is marked, and there is no such mark that nobody has settled yet.
_NONE_RESTARTED = and_(
    ~exists().where(RollupMark.kind == PROGRESS_UNDONE),
    exists().where(RollupState.id == 1, RollupState.generation != 0),
)
# The oldest runs of a platform that wait, as far as their record and progress tell, in order: at
# most as many as are named, and none where a run may have been restarted a moment ago. No older one
# may be handed out; one of these may still be invalid. Of runs that are executed the record alone
# is read: this costs a fraction of what `oldest_waiting` does.
OLDEST_CANDIDATES = _oldest(
    in_this_order(
        select(OpenRun.test_id)
        .join(RunRecord, RunRecord.test_id == OpenRun.test_id)
        .join(Run, Run.id == RunRecord.test_id)
        .where(_NONE_RESTARTED, is_not_leased())
    ),
    OpenRun.__table__,
)
