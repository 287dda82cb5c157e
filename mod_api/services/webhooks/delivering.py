"""Delivering the messages of the outbox: a pass over all that are due.

Several may do it at once, on several hosts: one of them takes a message (`mod_outbox.outbox`).
"""

import functools
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from flask import Flask

from config import Settings
from database import reading, written
from mod_api.application import PREFIX
from mod_api.services.webhooks import bodies
from mod_api.services.webhooks.deliveries import message_name
from mod_outbox import outbox, signing
from mod_outbox.models import TryOutcome
from mod_outbox.sending import Answer, post
from mod_test import foreign_ends

RECEIVERS_AT_ONCE = 8
# Then the other receivers have their turn again.
RECEIVER_SECONDS = 30.0
GONE = "There is no such thing any more."
USER_AGENT = "ci-platform-webhooks/1"
log = structlog.get_logger("outbox")
Send = Callable[..., Answer]


def deliver(app: Flask, *, send: Send = post) -> Counter[str]:
    """Deliver what is due, each receiver's messages in turn; how many tries ended in which way.

    A receiver that fails is left alone for the rest of the pass. Messages older than
    WEBHOOK_RETENTION are removed.
    """
    settings: Settings = app.extensions["settings"]
    foreign_ends.tell()
    with reading():
        webhooks = outbox.due_webhooks()
    outcomes: Counter[str] = Counter()
    with ThreadPoolExecutor(RECEIVERS_AT_ONCE, thread_name_prefix="outbox") as pool:
        for counted in pool.map(functools.partial(_deliver_to, app, send), webhooks):
            outcomes += counted
    while written(functools.partial(outbox.expire, settings.webhook_retention)) == outbox.AT_ONCE:
        pass
    return outcomes


def _deliver_to(app: Flask, send: Send, webhook_id: int) -> Counter[str]:
    """Deliver the messages of one webhook that are due, until one fails or its time is over."""
    outcomes: Counter[str] = Counter()
    until = time.monotonic() + RECEIVER_SECONDS
    settings: Settings = app.extensions["settings"]
    base = (settings.public_url or "") + PREFIX
    with app.app_context():
        while time.monotonic() < until:
            with reading():
                found = outbox.due_message(webhook_id)
                body = None if found is None else found.body or _body(found, base)
            if found is None:
                break
            refusal = _why_not(found)
            if refusal is not None or body is None:
                written(functools.partial(outbox.give_up, found, refusal or GONE))
                continue
            if not written(functools.partial(outbox.take, found, body)):
                continue  # somebody else has it
            answer = _try(found, body, settings, send)
            outcomes[answer.outcome.value] += 1
            if answer.outcome is not TryOutcome.delivered:
                break
    return outcomes


def _body(found: Any, base: str) -> str | None:
    return bodies.compose(found.event, found.subject_id, found.created_at, base=base)


def _why_not(found: Any) -> str | None:
    """Return why a message is not delivered at all, if it is not."""
    if found.disabled_at is not None:
        return "The account is disabled."
    return None if found.is_on else "The webhook was switched off."


def _try(found: Any, body: str, settings: Settings, send: Send) -> Answer:
    """Send a message that was taken, and write down what came of it."""
    salts = [found.salt, *([found.old_salt] if found.signs_twice else [])]
    secrets = [signing.secret_of(salt, settings.secret_key) for salt in salts]
    sent = body.encode()
    began = time.monotonic()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        **signing.headers(message_name(found.uuid), int(time.time()), sent, secrets),
    }
    answer = send(found.url, sent, headers, allowed=settings.webhook_networks)
    took = round((time.monotonic() - began) * 1000)
    written(functools.partial(outbox.settle, found, answer, took))
    log.info(
        "tried",
        webhook_id=found.webhook_id,
        message_id=found.id,
        outcome=answer.outcome.value,
        status=answer.status,
        duration_ms=took,
    )
    return answer
