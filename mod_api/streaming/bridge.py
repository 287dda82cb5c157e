"""The WSGI application under an ASGI server: requests in threads, streams in the event loop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware

from mod_api.streaming.stream import TAKEN_OVER, Stream

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Bridge:
    """An ASGI application around a WSGI one.

    A response whose body is a `Stream` leaves its thread after its headers; its frames are then
    sent from the event loop, where a follower that waits costs some memory and nothing else.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], *, threads: int) -> None:
        self._app = app
        self._wsgi = WSGIMiddleware(self._detached, workers=threads)  # type: ignore[arg-type]  # PEP 3333's environ, not a2wsgi's own type of it

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        streams: list[Stream] = []
        scope[TAKEN_OVER] = streams

        async def pass_on(message: Message) -> None:
            # The detached body is empty; its end is not the end of the response.
            if streams and message["type"] == "http.response.body":
                return
            await send(message)

        await self._wsgi(scope, receive, pass_on)  # type: ignore[arg-type]  # plain mappings
        if streams:
            await _send_stream(streams[0], receive, send)

    def _detached(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = self._app(environ, start_response)
        stream = getattr(body, "response", body)
        return body if not isinstance(stream, Stream) else self._take(stream, environ)

    def _take(self, stream: Stream, environ: dict[str, Any]) -> Iterable[bytes]:
        environ["asgi.scope"][TAKEN_OVER].append(stream)
        return []


async def _send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    sending = asyncio.ensure_future(_pump(stream, send))
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await sending
        stream.close()


async def _pump(stream: Stream, send: Send) -> None:
    frames = stream.pump()
    try:
        async for part in frames:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await frames.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
