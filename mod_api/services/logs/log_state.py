"""Whether more of a run's log can come: asked for one run or for all that are followed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, select

from database import fetch, fetch_values, now, utc_after
from mod_api.streaming.hub import RunState
from mod_auth.models import AccountRecord, ApiToken, User
from mod_ci.attempts import LOG_GOES_ON, LOG_GRACE_SECONDS
from mod_ci.models import Attempt
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
