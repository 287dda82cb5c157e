"""The WSGI application under an ASGI server: requests in threads, streams in the event loop.

A thread is held while the application works, not while a client is slow: small bodies are there
before the thread is taken, and a long answer is fetched from it piece by piece.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import structlog

from mod_api.streaming.stream import Stream
from server import answer as wsgi
from server import refusals
from server.answer import Answer, Wsgi
from server.environ import environ_of
from server.request_body import ClientGone, Message, Receive, body_of

log = structlog.get_logger("bridge")

Send = Callable[[Message], Awaitable[None]]
UPLOADS = 16
CLOSING = 4  # threads that close answers, and do what is left to do then
END: dict[str, Any] = {"type": "http.response.body", "body": b"", "more_body": False}


class Bridge:
    """An ASGI application around a WSGI one.

    `threads` work on requests; those that `may_wait` and large uploads have threads of their own,
    so that neither keeps the others waiting. `patience`: for how many seconds a client may neither
    send nor take anything before it is given up.
    """

    def __init__(
        self,
        app: Wsgi,
        *,
        threads: int,
        waiting_threads: int,
        may_wait: Callable[[MutableMapping[str, Any]], bool],
        patience: float,
    ) -> None:
        self._app = app
        self._may_wait = may_wait
        self._patience = patience
        self._threads = ThreadPoolExecutor(threads, "request")
        self._waiting = ThreadPoolExecutor(waiting_threads, "waiting")
        self._uploads = ThreadPoolExecutor(UPLOADS, "upload")
        self._closing = ThreadPoolExecutor(CLOSING, "closing")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope.get(refusals.CROWDED):
            await refusals.send(refusals.TOO_MANY, send)
            return
        try:
            body = await body_of(scope, receive, self._patience)
        except ClientGone:
            return
        except TimeoutError:
            await refusals.send(refusals.TOO_SLOW, send)
            return
        threads = self._waiting if self._may_wait(scope) else self._threads
        if not body.seekable():
            threads = self._uploads
        try:
            answer = await _in(threads, lambda: wsgi.ask(self._app, environ_of(scope, body)))
        except Exception:
            log.exception("application_failed")
            await refusals.send(refusals.FAILED, send)
            return
        if answer.stream is not None:
            await send(answer.start)
            await self._follow(answer.stream, scope, receive, send)
        elif answer.is_whole:
            await self._send_whole(answer, scope, send)
        else:
            await self._send_pieces(answer, scope, receive, send)

    async def _send_whole(
        self, answer: Answer, scope: MutableMapping[str, Any], send: Send
    ) -> None:
        """Send a body that is all there."""
        try:
            async with asyncio.timeout(self._patience):
                await send(answer.start)
                await send({**END, "body": answer.first})
        except TimeoutError:
            _abort(scope)
        finally:
            # Settling what a reader found marked may take a while: nobody waits for it.
            self._closing.submit(_closed, answer)

    async def _send_pieces(
        self, answer: Answer, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Send a long body; what is not sent when the client leaves or stands still is not read."""
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            async with asyncio.timeout(self._patience):
                await send(answer.start)
            piece = answer.first
            while piece and not leaving.done():
                async with asyncio.timeout(self._patience):
                    await send({**END, "body": piece, "more_body": True})
                piece = await _in(self._threads, answer.next_piece)
            await send(END)
        except TimeoutError:
            _abort(scope)
        finally:
            leaving.cancel()
            self._closing.submit(_closed, answer)

    async def _follow(
        self, stream: Stream, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        """Send a stream's frames until it ends, its client leaves or is given up."""
        sending = asyncio.ensure_future(self._pump(stream, send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({sending})
            stream.close()
            if sending.cancelled():
                _abort(scope)
            elif sending.exception() is not None:
                # The client sees its connection break, comes back and goes on where it was.
                if not isinstance(sending.exception(), TimeoutError):
                    log.error("stream_failed", exc_info=sending.exception())
                _abort(scope)

    async def _pump(self, stream: Stream, send: Send) -> None:
        async with contextlib.aclosing(stream.pump()) as frames:
            async for part in frames:
                async with asyncio.timeout(self._patience):
                    await send({**END, "body": part, "more_body": True})
        await send(END)


async def _in(threads: Executor, work: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(threads, work)


def _closed(answer: Answer) -> None:
    """Close an answer that is sent; a failure is logged, since the client has its answer."""
    try:
        answer.close()
    except Exception:  # the thread would keep it to itself, and the answer is sent
        log.exception("closing_failed")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(scope: MutableMapping[str, Any]) -> None:
    """Break the connection off: what a client does not take is not kept for it."""
    transport: asyncio.Transport | None = scope.get(refusals.TRANSPORT)
    if transport is not None:
        transport.abort()
