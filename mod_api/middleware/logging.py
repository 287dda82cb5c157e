"""The id of each request, its line in the server's log, and its place in the metrics."""

import re
import secrets
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

import metrics
from database import timing

log = structlog.get_logger("access")


def install(app: Flask) -> None:
    """Give every request of `app` its id, its line and its place in the metrics.

    Must come before all other middleware, so that its end is the end of all of it.
    """
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_leave)


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if re.fullmatch("[A-Za-z0-9._-]{1,64}", given) else secrets.token_hex(8)
    g.began = perf_counter()
    g.statements_before = timing.statements_of_this_thread()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    caller = getattr(g, "caller", None)
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
    return response


def _leave(error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
