"""Ends of runs that other programs wrote: found by their progress, and told to webhooks.

What we end is told where it is decided (`mod_test.state.end`).
"""

import functools
from datetime import timedelta

from sqlalchemy import and_, bindparam, exists, func, select, update
from sqlalchemy.orm import aliased

from database import execute, fetch, fetch_value, reading, written
from mod_outbox import outbox
from mod_outbox.models import Event, Webhook
from mod_test import state
from mod_test.models import Progress, ProgressRecord, TestStatus

# A transaction with a lower id may commit later: so many ids are looked at once more.
LOOK_BACK = 1000
AT_ONCE = 500

_later = aliased(Progress)
_LISTENS = and_(Webhook.is_on, Webhook.on_run_ended)
_FIRST = select(func.min(Webhook.told_to)).where(_LISTENS)
_NEWEST = select(func.max(Progress.id))
_ENDS = (
    select(Progress.id, Progress.test_id, Progress.timestamp)
    .where(
        Progress.id > bindparam("after"),
        Progress.id <= bindparam("newest"),
        Progress.status.in_([status for status in TestStatus if status.has_ended]),
        ~exists().where(ProgressRecord.progress_id == Progress.id),
        ~exists().where(_later.test_id == Progress.test_id, _later.id > Progress.id),
    )
    .order_by(Progress.id)
    .limit(AT_ONCE)
)
_TELL = (
    outbox.telling(
        Event.run_ended,
        state.IS_CONCERNED,
        Webhook.told_to > bindparam("progress_id") - LOOK_BACK - 1,
        Webhook.listening_since <= bindparam("ended_before"),
    )
    .prefix_with("OR IGNORE", dialect="sqlite")
    .prefix_with("IGNORE", dialect="mysql")
    .prefix_with("IGNORE", dialect="mariadb")
)


def tell() -> None:
    """Queue messages about the runs that other programs have ended since the last time."""
    with reading():
        first = fetch_value(_FIRST)
        newest = None if first is None else fetch_value(_NEWEST)
    if first is None or newest is None:
        return
    after = first - LOOK_BACK
    while True:
        with reading():
            found = fetch(_ENDS, {"after": after, "newest": newest})
        for end in found:
            # A run that is restarted and ends again has another event.
            name = f"progress {end.id} of run {end.test_id} at {end.timestamp}"
            told = outbox.message(end.test_id, name) | {
                "progress_id": end.id,
                # The existing site's times are whole seconds.
                "ended_before": end.timestamp + timedelta(seconds=1),
            }
            written(functools.partial(execute, _TELL, told))
        if len(found) < AT_ONCE:
            break
        after = found[-1].id
    written(
        lambda: execute(
            update(Webhook).where(_LISTENS, Webhook.told_to < newest).values(told_to=newest)
        )
    )
