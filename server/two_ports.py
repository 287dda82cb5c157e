"""A second application on a port of its own.

Which port a request came to is what the socket says, never a header: a proxy in front of the API
cannot be talked into forwarding to the other one.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from server import refusals
from server.answer import Wsgi
from server.bridge import Bridge

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
PATIENCE_SECONDS = 10.0


def beside(app: Asgi, other: Wsgi, port: int) -> Asgi:
    """`app`, but `other` for what arrives at `port`.

    The other one has a single thread of its own, and is asked also while `app` refuses requests.
    """
    bridge = Bridge(
        other,
        threads=1,
        waiting_threads=1,
        may_wait=lambda scope: False,
        patience=PATIENCE_SECONDS,
    )

    async def choose(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if _port_of(scope) != port:
            await app(scope, receive, send)
            return
        scope.pop(refusals.CROWDED, None)
        await bridge(scope, receive, send)

    return choose


def _port_of(scope: MutableMapping[str, Any]) -> int | None:
    server = scope.get("server")
    return server[1] if server else None
