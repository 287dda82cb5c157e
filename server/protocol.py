"""HTTP on one connection: uvicorn's, and a bound on everything that a client may hold on to."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

import metrics
from mod_api.streaming.shutdown_event import shutting_down
from server import refusals

# Of what a slow reader has not taken yet, so much is kept for it; then its sender waits.
WRITE_BUFFER_BYTES = 32 * 1024
# Of a request before its body; the parser keeps all of it.
HEAD_BYTES = 64 * 1024
# When the server ends, the first request of a new connection is waited for so long.
LAST_HEAD_SECONDS = 1.0


class Protocol(HttpToolsProtocol):
    """`most_connections` are served at once; beyond them requests are refused with 503.

    A connection on which no whole head of a request arrives within `patience` seconds is closed.
    Both are set by `limited`. A head that grows beyond HEAD_BYTES is refused with 431.

    A server that ends tells its connections once to end after their answers. One that has not asked
    for anything yet may still do so within LAST_HEAD_SECONDS, and so may one that was accepted in
    that moment and hears nothing: otherwise it would keep the server for as long as it may be idle.
    """

    most_connections = 2000
    patience = 60.0

    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(WRITE_BUFFER_BYTES)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        awaited = self._head
        super().data_received(data)
        if awaited is not None and awaited is self._head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self._refuse(refusals.TOO_LONG)

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # with notes of our own
        scope[refusals.TRANSPORT] = self.transport
        scope[refusals.CROWDED] = len(self.connections) > self.most_connections
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()
        if shutting_down.is_set() and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End the connection after its answers; one that has not asked yet may do so for a moment.

        Whoever has just connected has a request on its way, and could not tell a closed connection
        from a lost answer.
        """
        if self.cycle is None and self._head is not None:
            self._head_arrived()
            self._await_head()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        self._refuse(refusals.INVALID)

    def _refuse(self, refusal: tuple[int, bytes, Any]) -> None:
        status, body, headers = refusal
        metrics.request_refused(status)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in headers]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    def _await_head(self) -> None:
        self._head_bytes = 0
        patience = (
            min(self.patience, LAST_HEAD_SECONDS) if shutting_down.is_set() else self.patience
        )
        self._head = self.loop.call_later(patience, self.transport.abort)

    def _head_arrived(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def limited(most_connections: int, patience: float) -> type[Protocol]:
    """The protocol with these limits."""
    limits = {"most_connections": most_connections, "patience": patience}
    return type("LimitedProtocol", (Protocol,), limits)
