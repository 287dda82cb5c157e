"""Deliveries of a webhook: the messages to it with their tries; a test, and one sent again."""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, func, select

from database import fetch, fetch_first
from errors import Conflict, NotFound
from mod_api.services.keyset import Key, PageRequest, select_page
from mod_api.services.paging import Page
from mod_api.services.webhooks.webhooks import find
from mod_auth import audit
from mod_auth.accounts import Account
from mod_outbox import outbox
from mod_outbox.models import DeliveryTry, MessageState, OutboxMessage, Webhook

MOST_TRIES = 20
ORDER = (Key(OutboxMessage.id, descending=True),)


def list_deliveries(
    webhook_id: int, by: Account, *, state: str | None, window: PageRequest
) -> Page[dict[str, Any]]:
    """A page of the messages to a webhook, the newest first. Raises NotFound."""
    find(webhook_id, by)
    params = {"webhook_id": webhook_id} | ({} if state is None else {"state": state})
    listing, counting = _statements(state is not None)
    found = select_page(
        listing, ORDER, window, total=counting, kind="deliveries", wanted=params, params=params
    )
    return found.showing(_shown(found.data))


def send_test(webhook_id: int, by: Account) -> dict[str, Any]:
    """Queue a message that tells of nothing. Raises NotFound, Conflict `webhook_off`."""
    row = find(webhook_id, by, locks=True)
    _need_on(row)
    message_id = outbox.queue_test(row.id)
    audit.record("webhook.tested", by=by, subject=("webhook", row.id))
    return _get(webhook_id, message_id)


def replay(webhook_id: int, delivery_id: int, by: Account) -> dict[str, Any]:
    """Queue a message again, with the same id.

    Raises NotFound, Conflict `webhook_off`, and `still_waiting` for one that has not ended.
    """
    row = find(webhook_id, by, locks=True)
    _get(webhook_id, delivery_id)
    _need_on(row)
    if not outbox.queue_again(delivery_id):
        raise Conflict("This message is still to be delivered.", "still_waiting")
    audit.record("webhook.replayed", by=by, subject=("webhook", row.id), delivery_id=delivery_id)
    return _get(webhook_id, delivery_id)


def _need_on(row: Webhook) -> None:
    if not row.is_on:
        raise Conflict("The webhook is switched off.", "webhook_off", reason=row.off_reason)


def _get(webhook_id: int, delivery_id: int) -> dict[str, Any]:
    row = fetch_first(_ONE, {"webhook_id": webhook_id, "delivery_id": delivery_id})
    if row is None:
        raise NotFound("delivery", delivery_id)
    return _shown([row])[0]


def _shown(rows: Sequence[Any]) -> list[dict[str, Any]]:
    log: dict[int, list[Any]] = {}
    for each in fetch(_TRIES, {"ids": [row.id for row in rows]}):
        log.setdefault(each.message_id, []).append(each)
    return [
        {
            "delivery_id": row.id,
            "message_id": message_name(row.uuid),
            "event": row.event,
            "state": row.state,
            "why": row.why,
            "tries": row.tries,
            "created_at": row.created_at,
            "next_try_at": row.next_at if row.state is MessageState.waiting else None,
            "ended_at": row.ended_at,
            "log": log.get(row.id, [])[-MOST_TRIES:],
        }
        for row in rows
    ]


def message_name(uuid: str) -> str:
    """The `webhook-id` of a message."""
    return f"msg_{uuid}"


@functools.cache
def _statements(by_state: bool) -> tuple[Select[Any], Select[Any]]:
    conditions = [OutboxMessage.webhook_id == bindparam("webhook_id")]
    if by_state:
        conditions.append(OutboxMessage.state == bindparam("state"))
    counting = select(func.count()).select_from(OutboxMessage).where(*conditions)
    return select(OutboxMessage.__table__).where(*conditions), counting


_ONE = select(OutboxMessage.__table__).where(
    OutboxMessage.webhook_id == bindparam("webhook_id"),
    OutboxMessage.id == bindparam("delivery_id"),
)
_TRIES = (
    select(DeliveryTry.__table__)
    .where(DeliveryTry.message_id.in_(bindparam("ids", expanding=True)))
    .order_by(DeliveryTry.id)
)
