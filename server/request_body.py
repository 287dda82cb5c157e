"""The body of a request: a small one is there before a thread is taken, a large one is read live.

A client that sends slowly thus holds a thread only while it uploads something large, and of those
there are only so many.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import IO, Any

from werkzeug.exceptions import ClientDisconnected, RequestTimeout

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

SMALL_BYTES = 64 * 1024


class ClientGone(Exception):
    """The client left before its request was complete: there is nobody to answer."""


async def body_of(scope: Mapping[str, Any], receive: Receive, patience: float) -> IO[bytes]:
    """The request's body, whole if it is small, else as it comes in.

    `patience`: how many seconds the client may be silent, and how many a small body may take.
    Raises ClientGone, and TimeoutError when its time is over.
    """
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    if b"transfer-encoding" not in headers:
        if not int(length):
            return io.BytesIO()
        if int(length) > SMALL_BYTES:
            return io.BufferedReader(LiveBody(receive, patience))
    found = bytearray()
    async with asyncio.timeout(patience):
        while len(found) <= SMALL_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            found += message.get("body", b"")
            if not message.get("more_body", False):
                return io.BytesIO(found)
    return io.BufferedReader(LiveBody(receive, patience, bytes(found)))


class LiveBody(io.RawIOBase):
    """A body that is still on its way, read in a thread from the event loop that receives it.

    Reading raises ClientDisconnected when it was broken off, RequestTimeout for a silent client.
    """

    def __init__(self, receive: Receive, patience: float, begun: bytes = b"") -> None:
        self._receive = receive
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._left = memoryview(begun)
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and self._more:
            self._left = self._next()
        taken = min(len(buffer), len(self._left))
        buffer[:taken] = self._left[:taken]
        self._left = self._left[taken:]
        return taken

    def _next(self) -> memoryview:
        waiting = asyncio.wait_for(self._receive(), self._patience)
        try:
            message = asyncio.run_coroutine_threadsafe(waiting, self._loop).result()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self._more = message.get("more_body", False)
        return memoryview(message.get("body", b""))
