"""Webhooks of an account: made, listed, changed, removed, and their secrets."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import func, select

from config import Settings
from database import db, now
from errors import Conflict, Invalid, NotFound, Unprocessable
from mod_api.services.paging import Page, page
from mod_auth import audit
from mod_auth.accounts import Account
from mod_auth.models import User
from mod_auth.scopes import Scope
from mod_auth.tokens import Caller
from mod_outbox import outbox, signing
from mod_outbox.addresses import is_permitted
from mod_outbox.models import Event, Webhook
from mod_test.models import Progress

MOST = 10
BOTH_SIGN = timedelta(hours=24)


def find(webhook_id: int, by: Account, *, locks: bool = False) -> Webhook:
    """A webhook of this account. Raises NotFound, also for one of somebody else."""
    found = db.session.get(Webhook, webhook_id, with_for_update=locks, populate_existing=True)
    if found is None or found.account_id != by.id:
        raise NotFound("webhook", webhook_id)
    return found


def get(webhook_id: int, by: Account, *, base: str) -> dict[str, Any]:
    """A webhook of this account. Raises NotFound."""
    return _shown(find(webhook_id, by), base)


def list_webhooks(by: Account, *, limit: int, offset: int, base: str) -> Page[dict[str, Any]]:
    """A page of the account's webhooks, the newest first."""
    own = select(Webhook).where(Webhook.account_id == by.id)
    rows = db.session.scalars(own.order_by(Webhook.id.desc()).limit(limit).offset(offset)).all()
    return page([_shown(row, base) for row in rows], total=_count(by), limit=limit, offset=offset)


def create(
    caller: Caller,
    settings: Settings,
    *,
    base: str,
    url: str,
    events: Sequence[str],
    description: str | None = None,
    all_runs: bool = False,
) -> dict[str, Any]:
    """A new webhook, with its secret.

    Raises Invalid, Unprocessable `address_refused`, Forbidden, Conflict `too_many_webhooks`.
    """
    check_url(url, settings)
    by = caller.account
    # Two at once count one after the other.
    db.session.execute(select(User.id).where(User.id == by.id).with_for_update())
    if _count(by) >= MOST:
        raise Conflict(f"An account has at most {MOST} webhooks.", "too_many_webhooks", most=MOST)
    made = Webhook(
        account_id=by.id,
        url=url,
        description=description,
        all_runs=all_runs,
        is_on=True,
        salt=signing.new_salt(),
        created_at=now(),
        listening_since=now(),
        told_to=_newest_progress(),
    )
    _subscribe(made, events, caller)
    db.session.add(made)
    db.session.flush()
    _note("webhook.created", made, by, events=list(events), host=urlsplit(url).hostname)
    return _shown(made, base) | {"secret": _secret(made, settings)}


def change(
    webhook_id: int,
    caller: Caller,
    settings: Settings,
    *,
    base: str,
    enabled: bool | None = None,
    events: Sequence[str] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """Change what is named of a webhook. Switched off, it loses the messages that wait for it.

    Raises NotFound, Invalid, Unprocessable `address_refused`, Forbidden.
    """
    by = caller.account
    row = find(webhook_id, by, locks=True)
    told: dict[str, Any] = {name: values[name] for name in values if name != "url"}
    if "url" in values:
        check_url(values["url"], settings)
        told["host"] = urlsplit(values["url"]).hostname
    if events is not None:
        _subscribe(row, events, caller)
        told["events"] = list(events)
    for name, value in values.items():
        setattr(row, name, value)
    if enabled is not None and enabled is not row.is_on:
        told["enabled"] = row.is_on = enabled
        row.failing_since = None
        row.off_reason = None if enabled else f"Switched off by {by.name}."[:200]
    # Ends by other programs are told from now on only.
    row.listening_since, row.told_to = now(), _newest_progress()
    db.session.flush()
    if not row.is_on:
        outbox.give_up_all(row.id)
    _note("webhook.changed", row, by, **told)
    return _shown(row, base)


def remove(webhook_id: int, by: Account) -> None:
    """Remove a webhook, with its messages and their log. Raises NotFound."""
    row = find(webhook_id, by, locks=True)
    _note("webhook.removed", row, by, host=urlsplit(row.url).hostname)
    db.session.delete(row)
    db.session.flush()


def rotate_secret(webhook_id: int, by: Account, settings: Settings, *, base: str) -> dict[str, Any]:
    """A webhook with a new secret; the old one signs, too, for 24 hours. Raises NotFound."""
    row = find(webhook_id, by, locks=True)
    row.old_salt, row.old_salt_until = row.salt, now() + BOTH_SIGN
    row.salt = signing.new_salt()
    db.session.flush()
    _note("webhook.secret_rotated", row, by)
    return _shown(row, base) | {"secret": _secret(row, settings)}


def check_url(url: str, settings: Settings) -> None:
    """Raises Invalid for an address that cannot be, and Unprocessable `address_refused` for one of
    a machine that nothing is delivered to. A host's name is looked at when it is delivered to."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Invalid.fields(url="Is no URL.") from None
    is_text = url.isascii() and url.isprintable() and " " not in url
    if not is_text or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise Invalid.fields(url="Must be an http or https URL in ASCII.")
    if "@" in parts.netloc or parts.fragment:
        raise Invalid.fields(url="Must have neither a user's name nor a fragment.")
    try:
        is_good = is_permitted(parts.hostname, settings.webhook_networks)
    except ValueError:  # a name
        return
    if not is_good:
        raise Unprocessable("Webhooks are not delivered to this address.", "address_refused")


def _shown(row: Webhook, base: str) -> dict[str, Any]:
    """A webhook as its owner sees it."""
    wanted = {Event.job_ended: row.on_job_ended, Event.run_ended: row.on_run_ended}
    own = f"{base}/webhooks/{row.id}"
    is_rotating = row.old_salt_until is not None and row.old_salt_until > now()
    return {
        "webhook_id": row.id,
        "url": row.url,
        "description": row.description,
        "events": [event.value for event, is_wanted in wanted.items() if is_wanted],
        "all_runs": row.all_runs,
        "enabled": row.is_on,
        "disabled_reason": row.off_reason,
        "failing_since": row.failing_since,
        "previous_secret_until": row.old_salt_until if is_rotating else None,
        "created_at": row.created_at,
        "links": {"self": own, "deliveries": f"{own}/deliveries"},
    }


def _subscribe(row: Webhook, events: Sequence[str], caller: Caller) -> None:
    """Let a webhook ask for these events. Raises Forbidden where the token may not read them."""
    row.on_job_ended = Event.job_ended.value in events
    row.on_run_ended = Event.run_ended.value in events
    if row.on_run_ended:
        caller.need(Scope.RUNS_READ)


def _secret(row: Webhook, settings: Settings) -> str:
    return signing.shown(signing.secret_of(row.salt, settings.secret_key))


def _count(by: Account) -> int:
    own = select(func.count()).select_from(Webhook).where(Webhook.account_id == by.id)
    return db.session.scalar(own) or 0


def _newest_progress() -> int:
    return db.session.scalar(select(func.max(Progress.id))) or 0


def _note(action: str, row: Webhook, by: Account, **details: object) -> None:
    """The address itself may hold a secret, so the log has its host only."""
    audit.record(action, by=by, subject=("webhook", row.id), **details)
