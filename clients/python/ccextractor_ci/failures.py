"""How a request may fail. Each kind has the exit status that the command `ci` ends with."""

from typing import Any


class Failure(Exception):
    """A request that got no answer of use.

    `code` is the error's code in the API's answer, or ours where there was none; `status` the HTTP
    status, or 0; `details` what the API adds, such as the fields that are wrong.
    """

    exit_status = 10

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        status: int = 0,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.details = details or {}


class Unreachable(Failure):
    """The server could not be reached, or went away."""

    exit_status = 3


class NotFound(Failure):
    """There is no such thing, or not for this account (404)."""

    exit_status = 4


class Refused(Failure):
    """The input is not valid (400, 413, 415, 422)."""

    exit_status = 5


class NotAllowed(Failure):
    """The token is missing, has ended, or lacks a scope or role (401, 403)."""

    exit_status = 6


class RateLimited(Failure):
    """Too many requests, and the wait would be too long (429)."""

    exit_status = 7


class Conflict(Failure):
    """What is there does not allow it (409)."""

    exit_status = 8


class TimedOut(Failure):
    """What was waited for did not come in time."""

    exit_status = 9


class ServerFault(Failure):
    """The server failed (5xx)."""

    exit_status = 10


KINDS: dict[int, type[Failure]] = {
    400: Refused,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    405: Refused,
    409: Conflict,
    412: Conflict,
    413: Refused,
    415: Refused,
    416: Refused,
    422: Refused,
    428: Conflict,
    429: RateLimited,
}


def of_answer(status: int, body: object) -> Failure:
    """The failure that an answer tells: `body` is the parsed JSON, or None where it was none."""
    told = body if isinstance(body, dict) else {}
    kind = KINDS.get(status, ServerFault if status >= 500 else Failure)
    message = str(told.get("message") or f"The server answered {status}.")
    details = told.get("details")
    return kind(
        message,
        code=str(told.get("code") or ""),
        status=status,
        details=details if isinstance(details, dict) else {},
    )
