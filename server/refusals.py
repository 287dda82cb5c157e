"""Answers that the server gives before, or instead of, the application: in the same shape."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import metrics

# What the server's protocol notes in a request's scope.
CROWDED = "platform.crowded"
TRANSPORT = "platform.transport"

RETRY_AFTER_SECONDS = 10


def _refusal(status: int, code: str, message: str, **details: Any) -> tuple[int, bytes, Any]:
    body = json.dumps({"code": code, "message": message, "details": details}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    if "retry_after" in details:
        headers.append((b"retry-after", str(details["retry_after"]).encode()))
    return status, body, headers


TOO_MANY = _refusal(
    503, "unavailable", "Too many connections are open. Try again.", retry_after=RETRY_AFTER_SECONDS
)
TOO_SLOW = _refusal(408, "request_timeout", "The request did not arrive in time.")
TOO_LONG = _refusal(431, "headers_too_large", "The request's line and headers are too long.")
FAILED = _refusal(500, "internal_error", "Something went wrong on our side.")
INVALID = _refusal(400, "bad_request", "This is no valid HTTP request.")


async def send(
    refusal: tuple[int, bytes, Any], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """Send a refusal, and close the connection after it."""
    status, body, headers = refusal
    metrics.request_refused(status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
