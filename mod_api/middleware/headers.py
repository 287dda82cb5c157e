"""Security headers and the request id of every response; which host links may name."""

import re
import secrets
import time

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from config import TRUSTED_HOST, Settings

log = structlog.get_logger("access")

PREFIX = "/api/v1"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def install(app: Flask, settings: Settings) -> None:
    """Give every response of `app` its headers and every request its id and log line."""
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_leave)


def base_url() -> str:
    """What links start with: PUBLIC_URL, else the request's own host where it is trusted, else
    nothing, so that a forged Host never enters an answer."""
    settings: Settings = current_app.extensions["settings"]
    if settings.public_url:
        return settings.public_url + PREFIX
    host, trusted = request.host, settings.trusted_hosts
    # Asked with an empty list, werkzeug trusts everybody.
    if trusted and TRUSTED_HOST.fullmatch(host) and host_is_trusted(host, trusted):
        return f"{request.scheme}://{host}{PREFIX}"
    return PREFIX


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if re.fullmatch("[A-Za-z0-9._-]{1,64}", given) else secrets.token_hex(8)
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    settings: Settings = current_app.extensions["settings"]
    if settings.public_url and settings.public_url.startswith("https:"):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers["X-Request-Id"] = g.request_id
    caller = getattr(g, "caller", None)
    log.info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        account=caller.account.name if caller else None,
        ms=round((time.perf_counter() - g.began) * 1000, 1),
    )
    return response


def _leave(error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
