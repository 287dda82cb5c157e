"""The frame of every request: its id, its headers, its line in the log, its count in metrics."""

import re
import secrets
from time import perf_counter

import structlog
from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

import metrics
from config import Settings
from database import timing
from mod_api.middleware import compression, limits, run_registration

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STRICT = {"Strict-Transport-Security": "max-age=31536000"}
log = structlog.get_logger("access")


def install(app: Flask, settings: Settings) -> None:
    """Put every request of `app` into its frame."""
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    is_https = settings.public_url is not None and settings.public_url.startswith("https:")
    security = SECURITY | STRICT if is_https else SECURITY
    unregistered = run_registration.Watch()

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        is_id = re.fullmatch("[A-Za-z0-9._-]{1,64}", given)
        g.request_id = given if is_id else secrets.token_hex(8)
        g.began = perf_counter()
        g.statements_before = timing.statements_of_this_thread()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        if not unregistered.has_trigger:
            run_registration.look(unregistered)

    @app.after_request
    def finish(response: Response) -> Response:
        limits.write_headers(response)
        _add_missing(response, security)
        compression.compress_answer(response)  # of what is complete
        response.headers["X-Request-Id"] = g.request_id
        _log(response)
        return response

    @app.teardown_request
    def leave(error: BaseException | None) -> None:
        structlog.contextvars.clear_contextvars()


def _add_missing(response: Response, headers: dict[str, str]) -> None:
    # Asking for each by itself would go through all headers as often.
    known = set(map(str.lower, response.headers.keys()))
    for name, value in headers.items():
        if name.lower() not in known:
            response.headers.add(name, value)


def _log(response: Response) -> None:
    caller = g.get("caller")
    seconds = perf_counter() - g.began
    route = request.url_rule.rule if request.url_rule else None
    log.info(
        "request",
        request_id=g.request_id,
        method=request.method,
        route=route,
        status=response.status_code,
        account=caller.account.name if caller else None,
        ms=round(seconds * 1000, 1),
        sql=timing.statements_of_this_thread() - g.statements_before,
    )
    metrics.request_answered(request.method, route, response.status_code, seconds)
