"""Messages: written with what they tell of, taken by one deliverer at a time, ended once.

Taking a message is one conditional UPDATE that puts its next try ahead by `LEASE_SECONDS`. A
deliverer that dies leaves it like that: it is due again when that time has passed, under the same
`uuid`. What came of the try is written only while nobody else has taken the message since.
"""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.sql.dml import Insert

from database import (
    db,
    epoch_ms,
    execute,
    fetch,
    fetch_first,
    fetch_value,
    fetch_values,
    now,
    utc_after,
    utc_now,
)
from mod_auth import audit
from mod_auth.models import AccountRecord
from mod_outbox.models import (
    DeliveryTry,
    Event,
    MessageState,
    OutboxMessage,
    TryOutcome,
    Webhook,
)
from mod_outbox.sending import Answer

LEASE_SECONDS = 60
# Until the next try, in seconds: half a minute, then three times as long each time, a day at most.
# Together they are three days and three hours.
FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 30, 3, 86_400
MOST_FAILURES = 11
# A webhook that has failed for so long is switched off.
FAILING = timedelta(days=5)
AT_ONCE = 1000

_COLUMNS = (
    "webhook_id", "uuid", "event", "subject_id", "state", "tries", "failures", "created_at",
    "next_at",
)  # fmt: skip


def telling(event: Event, *whom: ColumnElement[bool]) -> Insert:
    """Return the statement that queues a message for each webhook of `whom` that asks for `event`:
    none at all where nobody does. Its parameters are those of `message`, and those of `whom`."""
    asks = {Event.job_ended: Webhook.on_job_ended, Event.run_ended: Webhook.on_run_ended}[event]
    subscribers = (
        select(
            Webhook.id,
            bindparam("uuid", type_=OutboxMessage.uuid.type),
            literal(event, OutboxMessage.event.type),
            bindparam("subject_id", type_=OutboxMessage.subject_id.type),
            literal(MessageState.waiting, OutboxMessage.state.type),
            literal(0),
            literal(0),
            utc_now(),
            utc_now(),
        )
        .outerjoin(AccountRecord, AccountRecord.user_id == Webhook.account_id)
        .where(Webhook.is_on, asks, AccountRecord.disabled_at.is_(None), *whom)
    )
    return insert(OutboxMessage).from_select(_COLUMNS, subscribers)


def message(subject_id: int, name: str | None = None) -> dict[str, Any]:
    """Return the parameters of a message about a subject. With `name`, which says what happened, it
    has the same `uuid` each time."""
    found = uuid.uuid4() if name is None else uuid.uuid5(uuid.NAMESPACE_OID, name)
    return {"uuid": str(found), "subject_id": subject_id}


def queue_test(webhook_id: int) -> int:
    """Queue a message that tells of nothing but itself; its id."""
    sent = OutboxMessage(
        webhook_id=webhook_id,
        uuid=str(uuid.uuid4()),
        event=Event.test,
        subject_id=webhook_id,
        state=MessageState.waiting,
        created_at=now(),
        next_at=now(),
    )
    db.session.add(sent)
    db.session.flush()
    return sent.id


def queue_again(message_id: int) -> bool:
    """Queue a message that was delivered or given up once more; False for one that waits."""
    return _changed(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id, OutboxMessage.state != MessageState.waiting)
        .values(state=MessageState.waiting, failures=0, next_at=utc_now(), ended_at=None, why=None)
    )


def listeners() -> int:
    """Return how many webhooks are on."""
    count: int = fetch_value(select(func.count()).select_from(Webhook).where(Webhook.is_on))
    return count


def due_webhooks() -> Sequence[int]:
    """Return the webhooks with messages that are due, the one that waits longest first."""
    return fetch_values(_DUE_WEBHOOKS)


def due_message(webhook_id: int) -> Any:
    """Return the message of a webhook that has been due longest, with its webhook, or None."""
    return fetch_first(_DUE_MESSAGE, {"webhook_id": webhook_id})


def take(found: Any, body: str) -> bool:
    """Take a message, a row of `due_message`, for one try; False when somebody else has it."""
    return _changed(
        _if_untouched(found)
        .where(OutboxMessage.next_at <= utc_now())
        .values(
            tries=OutboxMessage.tries + 1,
            next_at=utc_after(LEASE_SECONDS),
            body=func.coalesce(OutboxMessage.body, body),
        )
    )


def give_up(found: Any, why: str) -> bool:
    """Give up a message, a row of `due_message`, that cannot be delivered."""
    return _changed(
        _if_untouched(found).values(state=MessageState.given_up, ended_at=utc_now(), why=why)
    )


def settle(found: Any, answer: Answer, duration_ms: int) -> None:
    """Write down what came of the try of a message that was taken when it was `found`.

    The log has each try; the message changes unless somebody else has taken it since.
    """
    execute(
        insert(DeliveryTry).values(
            message_id=found.id,
            at=utc_now(),
            duration_ms=duration_ms,
            outcome=answer.outcome,
            status=answer.status,
            message=None if answer.message is None else answer.message[:200],
        )
    )
    taken = update(OutboxMessage).where(
        OutboxMessage.id == found.id,
        OutboxMessage.state == MessageState.waiting,
        OutboxMessage.tries == found.tries + 1,
    )
    if answer.outcome is TryOutcome.delivered:
        _changed(taken.values(state=MessageState.delivered, ended_at=utc_now(), why=None))
        _note_success(found.webhook_id)
        return
    failures = found.failures + 1
    values: dict[str, Any] = {"failures": failures}
    if failures >= MOST_FAILURES:
        why = f"{failures} tries failed."
        values |= {"state": MessageState.given_up, "ended_at": utc_now(), "why": why}
    else:
        values["next_at"] = utc_after(pause_after(failures))
    if _changed(taken.values(**values)):
        _note_failure(found.webhook_id, answer)


def pause_after(failures: int) -> int:
    """Return the seconds until the next try, with a fifth of jitter."""
    pause: int = min(FIRST_PAUSE * GROWTH ** (failures - 1), LONGEST_PAUSE)
    return round(pause * random.uniform(0.8, 1.2))  # noqa: S311  no secret: it spreads the tries


def _note_success(webhook_id: int) -> None:
    _changed(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.failing_since.is_not(None))
        .values(failing_since=None)
    )


def _note_failure(webhook_id: int, answer: Answer) -> None:
    _changed(
        update(Webhook)
        .where(Webhook.id == webhook_id, Webhook.failing_since.is_(None))
        .values(failing_since=utc_now())
    )
    if answer.status == 410:
        switch_off(webhook_id, "The receiver answered that it is gone (410).")
        return
    is_hopeless = select(Webhook.id).where(
        Webhook.id == webhook_id,
        Webhook.failing_since < utc_after(-int(FAILING.total_seconds())),
    )
    if fetch_first(is_hopeless) is not None:
        switch_off(webhook_id, f"Every delivery has failed for {FAILING.days} days.")


def switch_off(webhook_id: int, reason: str) -> None:
    """Switch a webhook off, and give up all messages that wait for it."""
    switched = update(Webhook).where(Webhook.id == webhook_id, Webhook.is_on)
    if _changed(switched.values(is_on=False, off_reason=reason)):
        audit.record(
            "webhook.switched_off", by=None, subject=("webhook", webhook_id), reason=reason
        )
    give_up_all(webhook_id)


def give_up_all(webhook_id: int) -> None:
    """Give up all messages that wait for a webhook that was switched off."""
    _changed(
        update(OutboxMessage)
        .where(OutboxMessage.webhook_id == webhook_id, OutboxMessage.state == MessageState.waiting)
        .values(
            state=MessageState.given_up, ended_at=utc_now(), why="The webhook was switched off."
        )
    )


def expire(days: int) -> int:
    """Remove the messages that are older than so many days, with their log, some at once; how many
    were removed. One that waits stays."""
    old = fetch_values(
        select(OutboxMessage.id)
        .where(
            OutboxMessage.created_at < now() - timedelta(days=days),
            OutboxMessage.state != MessageState.waiting,
        )
        .order_by(OutboxMessage.created_at)
        .limit(AT_ONCE)
    )
    if old:
        execute(delete(OutboxMessage).where(OutboxMessage.id.in_(old)))
    return len(old)


def counts_of_tries() -> dict[str, int]:
    """Return how many tries of the last hour ended in which way."""
    counts = {outcome.value: 0 for outcome in TryOutcome}
    return counts | {outcome.value: count for outcome, count in fetch(_LAST_HOUR)}


def waiting() -> Any:
    """Return how many messages wait (`count`), the age of the oldest (`oldest_ms`), and how long
    one has been due at most (`overdue_ms`); None where there is none."""
    return fetch_first(_WAITING)


def _if_untouched(found: Any) -> Any:
    return update(OutboxMessage).where(
        OutboxMessage.id == found.id,
        OutboxMessage.state == MessageState.waiting,
        OutboxMessage.tries == found.tries,
    )


def _changed(statement: Any) -> bool:
    """Execute an UPDATE, and return whether it changed a row."""
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    changed: int = done.rowcount  # type: ignore[attr-defined]  # a cursor result, as UPDATE gives
    return changed > 0


_IS_DUE = (OutboxMessage.state == MessageState.waiting, OutboxMessage.next_at <= utc_now())
_DUE_WEBHOOKS = (
    select(OutboxMessage.webhook_id)
    .where(*_IS_DUE)
    .group_by(OutboxMessage.webhook_id)
    .order_by(func.min(OutboxMessage.next_at))
    .limit(AT_ONCE)
)
_DUE_MESSAGE = (
    select(
        OutboxMessage.__table__,
        Webhook.url,
        Webhook.is_on,
        Webhook.salt,
        Webhook.old_salt,
        (Webhook.old_salt_until > utc_now()).label("signs_twice"),
        AccountRecord.disabled_at,
    )
    .join(Webhook, Webhook.id == OutboxMessage.webhook_id)
    .outerjoin(AccountRecord, AccountRecord.user_id == Webhook.account_id)
    .where(*_IS_DUE, OutboxMessage.webhook_id == bindparam("webhook_id"))
    .order_by(OutboxMessage.next_at, OutboxMessage.id)
    .limit(1)
)
_LAST_HOUR = (
    select(DeliveryTry.outcome, func.count())
    .where(DeliveryTry.at > utc_after(-3600))
    .group_by(DeliveryTry.outcome)
)
_WAITING = select(
    func.count().label("count"),
    (epoch_ms(utc_now()) - epoch_ms(func.min(OutboxMessage.created_at))).label("oldest_ms"),
    (epoch_ms(utc_now()) - epoch_ms(func.min(OutboxMessage.next_at))).label("overdue_ms"),
).where(OutboxMessage.state == MessageState.waiting)
