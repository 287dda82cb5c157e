"""Every error of every cause in the contract's shape: `code`, `message`, `details`."""

import math
import re
from typing import Any

import structlog
from flask import Flask, Response, g, jsonify
from marshmallow import ValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from database import cause_of, db
from errors import DomainError
from mod_api.middleware.parsing import invalid

log = structlog.get_logger("api")

RETRY_AFTER = 5  # seconds, where the cause suggests no other
MESSAGES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is larger than allowed.",
    415: "The body has a content type that is not taken here.",
}


def install(app: Flask) -> None:
    """Answer every exception of `app` in JSON."""
    app.register_error_handler(DomainError, domain_error)
    app.register_error_handler(ValidationError, lambda error: domain_error(invalid(error)))
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(OperationalError, database_error)
    app.register_error_handler(PoolTimeout, database_error)
    app.register_error_handler(Exception, unexpected)


def domain_error(error: DomainError) -> Response:
    response = answer(error.status, error.code, error.message, error.details)
    if error.status == 401:
        challenge = 'Bearer realm="api"'
        if getattr(g, "credential_given", False):
            challenge += ', error="invalid_token"'
        response.headers["WWW-Authenticate"] = challenge
    return response


def http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = re.sub(r"[^a-z]+", "_", (error.name or "error").lower()).strip("_")
    if status == 413:
        code = "payload_too_large"
    message = MESSAGES.get(status, error.description or error.name)
    response = answer(status, code, message, {})
    for name, value in error.get_headers():
        if name.lower() in ("allow", "location"):
            response.headers[name] = value
    return response


def database_error(error: Exception) -> Response:
    """The database is away, or a lock could not be had in time: worth asking again."""
    db.session.rollback()
    log.error("database_error", error=cause_of(error))
    return answer(
        503, "unavailable", "The database did not answer in time. Try again.", {"retry_after": 2}
    )


def unexpected(error: Exception) -> Response:
    db.session.rollback()
    log.exception("unexpected_error")
    details = {"request_id": getattr(g, "request_id", None)}
    return answer(500, "internal_error", "Something went wrong on our side.", details)


def answer(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """One error in the contract's shape; `message` is cut to its bound of 500 characters.

    429 and 503, and nothing else, have `Retry-After`: the `retry_after` of the details.
    """
    if len(message) > 500:
        message = message[:499] + "…"
    headers = {}
    if status in (429, 503):
        seconds = math.ceil(details.get("retry_after", RETRY_AFTER))
        details = {**details, "retry_after": seconds}
        headers["Retry-After"] = str(seconds)
    response = jsonify({"code": code, "message": message, "details": details})
    response.status_code = status
    response.headers.extend(headers)
    return response
