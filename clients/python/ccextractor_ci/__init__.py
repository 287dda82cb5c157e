"""A client of the CI platform: `Client(url, token)`, its answers as typed objects, its refusals as
exceptions. Synchronous, and made of the standard library only."""

from typing import TYPE_CHECKING, Any

from ccextractor_ci.failures import (
    Conflict,
    Failure,
    NotAllowed,
    NotFound,
    RateLimited,
    Refused,
    ServerFault,
    TimedOut,
    Unreachable,
)

if TYPE_CHECKING:
    from ccextractor_ci.client import Client

__version__ = "1.0.0"

__all__ = [
    "Client",
    "Conflict",
    "Failure",
    "NotAllowed",
    "NotFound",
    "RateLimited",
    "Refused",
    "ServerFault",
    "TimedOut",
    "Unreachable",
]


def __getattr__(name: str) -> Any:
    """Bring `Client` when it is asked for: the commands begin sooner without its models."""
    if name == "Client":
        from ccextractor_ci.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
