"""Rate limits per verified token, else per address, by kind of request (Flask-Limiter).

The kinds are `read`, `write`, `auth` and `runner`; their limits are settings. The check runs after
authentication (docs/semantics.md, order of refusal), so it is called, not automatic.
"""

import enum
import math
import time
from contextlib import suppress

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded

from config import Settings
from mod_auth.throttle import network_of


class Rate(enum.StrEnum):
    """What kind of request counts against which limit."""

    read = "read"
    write = "write"
    auth = "auth"
    runner = "runner"


def install(app: Flask, settings: Settings) -> None:
    """Limit `app`: shared in Redis when there is one, else in this process's memory."""
    app.config["RATELIMIT_ENABLED"] = settings.has_limits
    app.extensions["rate_limits"] = {
        Rate.read: settings.rate_limit_read or "",
        Rate.write: settings.rate_limit_write or "",
        Rate.auth: settings.rate_limit_auth or "",
        Rate.runner: settings.rate_limit_runner or "",
    }
    # Redis that is away must not take the API with it: each process then counts for itself.
    timeouts: dict[str, str | int] = {"socket_connect_timeout": 1, "socket_timeout": 1}
    limiter = Limiter(
        key_func=_key,
        headers_enabled=True,
        strategy="fixed-window",
        key_prefix="ci",
        storage_uri=settings.redis_url or "memory://",
        storage_options=timeouts if settings.redis_url else {},
        in_memory_fallback_enabled=bool(settings.redis_url),
        # Of requests that wait for a hanging Redis side by side, the first turns to the memory. The
        # others fail a moment later, and are let through uncounted rather than answered with 500.
        swallow_errors=True,
        # One name for all, which is no endpoint's: a request that matches no route is limited too,
        # and the limiter's own check, which comes before authentication, finds nothing to do.
        request_identifier=lambda: "api",
    )
    limiter.init_app(app)
    app.extensions["platform_limiter"] = limiter
    app.extensions["limit_storage"] = limiter.storage if settings.has_limits else None
    app.extensions["count_request"] = limiter.shared_limit(_limit, scope="api")(_counted)
    app.after_request(_count_refused)


def _counted() -> None:
    """What the limiter decorates: calling it counts the request of the moment."""


def check(rate: Rate | None = None) -> None:
    """Count this request. Raises RateLimitExceeded when its kind's limit is used up."""
    g.rate = rate or _kind()
    g.rate_checked = True
    if _limit():
        current_app.extensions["count_request"]()


def retry_after(error: RateLimitExceeded) -> tuple[int, int, int]:
    """Seconds to wait, the limit's amount, and its window in seconds."""
    item = error.limit.limit
    limiter: Limiter = current_app.extensions["platform_limiter"]
    current = limiter.current_limit
    wait = math.ceil(current.reset_at - time.time()) if current else item.get_expiry()
    return max(1, wait), item.amount, item.get_expiry()


def _count_refused(response: Response) -> Response:
    """Requests refused before their own check count too, for their token where it is a good one,
    else for the address, and carry the headers."""
    if not getattr(g, "rate_checked", False):
        with suppress(RateLimitExceeded):  # it has its answer already
            check()
    return response


def _kind() -> Rate:
    return Rate.read if request.method in ("GET", "HEAD", "OPTIONS") else Rate.write


def _limit() -> str:
    limits: dict[Rate, str] = current_app.extensions["rate_limits"]
    return limits[g.rate]


def _key() -> str:
    token = None if g.rate == Rate.auth else g.get("rate_key")
    return f"{g.rate}:{token or network_of(request.remote_addr or '')}"
