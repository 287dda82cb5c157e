"""What is told of each request: its id, its line in the server's log, and what is counted of it."""

import re
import secrets
from dataclasses import dataclass
from time import perf_counter

import structlog
from flask import Flask, Response, g, request

import metrics
from database import timing
from mod_api.middleware import once_sent

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
    done = Done(
        request_id=g.request_id,
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        account=caller.account.name if caller else None,
        seconds=perf_counter() - g.began,
        statements=timing.statements_of_this_thread() - g.statements_before,
        untold=timing.untold(),
    )
    once_sent.do(done.tell, response)
    return response


@dataclass(frozen=True, slots=True)
class Done:
    """A request that was answered, `seconds` after it had come."""

    request_id: str
    method: str
    route: str | None
    status: int
    account: str | None
    seconds: float
    statements: int
    untold: timing.Untold

    def tell(self) -> None:
        log.info(
            "request",
            request_id=self.request_id,
            method=self.method,
            route=self.route,
            status=self.status,
            account=self.account,
            ms=round(self.seconds * 1000, 1),
            sql=self.statements,
        )
        timing.tell(self.untold)
        metrics.request_answered(self.method, self.route, self.status, self.seconds)


def _leave(error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
