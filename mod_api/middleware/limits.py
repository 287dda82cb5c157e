"""Rate limits per verified token, else per address, by kind of request.

Each kind's limit is a setting. The check runs after authentication (docs/semantics.md, order of
refusal), so it is called, not automatic.
"""

import enum
import math
import time
from contextlib import suppress

from flask import Flask, Response, current_app, g, request
from limits import RateLimitItem, parse

from config import Settings
from errors import RateLimited
from mod_auth.counters import Slot, Store, open_store
from mod_auth.throttle import Throttle, failures_of, network_of


class Rate(enum.StrEnum):
    """The kinds of requests, each with a limit.

    `auth` is signing in: failures count per address and account (mod_auth.throttle); here, an
    attempt that does not sign anybody in counts as a `write` of the address.
    """

    read = "read"
    write = "write"
    auth = "auth"
    runner = "runner"
    submit = "submit"


def install(app: Flask, settings: Settings) -> None:
    """Limit `app`: shared in Redis when there is one, else in this process's memory."""
    texts = {
        Rate.read: settings.rate_limit_read,
        Rate.write: settings.rate_limit_write,
        Rate.runner: settings.rate_limit_runner,
        Rate.submit: settings.rate_limit_submit,
    }
    store = open_store(settings.redis_url) if settings.has_limits else None
    app.extensions["rate_limits"] = {kind: parse(text) for kind, text in texts.items() if text}
    app.extensions["limit_store"] = store
    app.extensions["throttle"] = None
    if store and settings.rate_limit_auth:
        limit = parse(settings.rate_limit_auth)
        app.extensions["throttle"] = Throttle(store, limit, settings.secret_key)


def check(rate: Rate | None = None) -> None:
    """Count this request. Raises RateLimited when its kind's limit is used up."""
    is_read = request.method in ("GET", "HEAD", "OPTIONS")
    g.rate = rate or (Rate.read if is_read else Rate.write)
    counted_as = Rate.write if g.rate is Rate.auth else g.rate
    limits: dict[Rate, RateLimitItem] = current_app.extensions["rate_limits"]
    limit = limits.get(counted_as)
    if limit is None:
        return
    token = None if g.rate is Rate.auth else g.get("rate_key")
    key = f"{counted_as}:{token or network_of(request.remote_addr or '')}"
    g.rate_slot = _store().take(key, limit, reserve=g.rate is Rate.auth)
    if not g.rate_slot.granted:
        seconds = g.rate_slot.retry_after
        raise RateLimited(
            f"Rate limit exceeded. Retry after {seconds} seconds.",
            retry_after=seconds,
            limit=limit.amount,
            window=f"{limit.get_expiry()}s",
        )


def throttle() -> Throttle | None:
    """The limit of failed sign-ins; None where it is off."""
    found: Throttle | None = current_app.extensions["throttle"]
    return found


def write_headers(response: Response) -> None:
    """Write the headers. Requests refused before their own check count too, for their token where
    it is a good one, else for the address."""
    if "rate" not in g:
        with suppress(RateLimited):  # it has its answer already
            check()
    slot: Slot | None = g.get("rate_slot")
    if g.rate is Rate.auth:
        if slot and slot.granted:
            _store().settle(slot, is_used=response.status_code in (400, 401, 413, 415))
        failures = throttle()
        if failures and (slot is None or slot.granted):
            slot = failures_of(failures, request.remote_addr or "")
    if slot:
        response.headers["X-RateLimit-Limit"] = str(slot.limit.amount)
        response.headers["X-RateLimit-Remaining"] = str(slot.remaining)
        response.headers["X-RateLimit-Reset"] = str(math.ceil(time.time() + slot.seconds))


def _store() -> Store:
    found: Store = current_app.extensions["limit_store"]
    return found
