"""What can go wrong in the domain, raised by services and turned into responses in one place.

Each error knows its HTTP status, its machine-readable code and its details, so that
`mod_api.middleware.errors` needs one handler for all of them.
"""

from typing import Any


class DomainError(Exception):
    """An expected refusal: `message` is for people, `code` and `details` are for programs."""

    status = 500
    code = "error"

    def __init__(self, message: str, /, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details


class Invalid(DomainError):
    """A value that cannot be: 400. `Invalid.fields(limit="...")` names the field."""

    status = 400
    code = "validation_error"

    @classmethod
    def fields(cls, /, **messages: str) -> "Invalid":
        return cls("Request failed schema validation.", fields=messages)


class Unauthorized(DomainError):
    """No valid credential: 401."""

    status = 401
    code = "unauthorized"

    def __init__(
        self, message: str = "Bearer token is missing, expired, or invalid.", /, **options: Any
    ) -> None:
        super().__init__(message, **options)


class Forbidden(DomainError):
    """The caller is known and may not: 403."""

    status = 403
    code = "forbidden"


class NotFound(DomainError):
    """`NotFound("run", 17)`: there is no such thing, or not under this parent: 404."""

    status = 404
    code = "not_found"

    def __init__(
        self, resource: str, id: Any, /, message: str | None = None, **options: Any
    ) -> None:
        name = resource.replace("_", " ").capitalize()
        super().__init__(message or f"{name} {id} not found.", resource=resource, id=id, **options)


class Conflict(DomainError):
    """The state of things has moved on: 409."""

    status = 409
    code = "conflict"


class TooLarge(DomainError):
    """More bytes than allowed: 413."""

    status = 413
    code = "payload_too_large"


class OffsetMismatch(DomainError):
    """Bytes that do not fit at the offset they name: 416, with the true one."""

    status = 416
    code = "offset_mismatch"


class Unprocessable(DomainError):
    """Well-formed, and still impossible: 422."""

    status = 422
    code = "unprocessable"


class RateLimited(DomainError):
    """Too many requests: 429; `retry_after` is in seconds."""

    status = 429
    code = "rate_limited"


class Unavailable(DomainError):
    """The service cannot take this now: 503; `retry_after` is in seconds."""

    status = 503
    code = "unavailable"
