"""A client of Server-Sent Events as browsers are: it reads frames and keeps the last id."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.patience import PATIENCE_SECONDS, tries
from tests.web_server import Server


@dataclass
class Event:
    """One event, or a line that is none: a comment, or the time to wait before coming back."""

    name: str = ""
    id: str | None = None
    comment: str | None = None
    retry: str | None = None
    data: Any = None


@dataclass
class Following:
    """One stream that is open. Reading raises TimeoutError when it takes too long in all."""

    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse
    last_id: str | None = None
    torn: bytes = b""
    pending: list[bytes] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.response.status

    def frames(self) -> Iterator[Event]:
        """Every event, comment and `retry` line, until the stream ends or breaks."""
        frame = Event()
        for text in self._lines():
            if not text:
                if frame.id is not None:
                    self.last_id = frame.id
                yield frame
                frame = Event()
                continue
            name, _, value = text.partition(": ")
            if text.startswith(":"):
                yield Event(comment=text[1:].strip())
            elif name == "retry":
                yield Event(retry=value)
            elif name == "event":
                frame.name = value
            elif name == "id":
                frame.id = value
            elif name == "data":
                frame.data = json.loads(value)

    def _lines(self) -> Iterator[str]:
        # Comments keep a silent connection open for ever.
        for _ in tries(0):
            while self.pending:
                yield self.pending.pop().decode("utf-8")
            # `readline` would read a body in chunks byte by byte.
            part = self.response.read1(65536)
            if not part:
                return
            *whole, self.torn = (self.torn + part).split(b"\n")
            self.pending = whole[::-1]

    def events(self) -> Iterator[Event]:
        return (frame for frame in self.frames() if frame.name)

    def lines(self, count: int) -> list[str]:
        """The messages of the next lines."""
        return [event.data["message"] for event in self.take(count, "line")]

    def take(self, count: int, name: str | None = None) -> list[Event]:
        """The next events of that name, or of any."""
        found: list[Event] = []
        events = self.events()
        while len(found) < count:
            event = next(events)
            if name in (None, event.name):
                found.append(event)
        return found

    def rest(self) -> list[Event]:
        """All events until the stream ends by itself."""
        return list(self.events())

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def follow(
    server: Server,
    path: str,
    headers: Mapping[str, str],
    *,
    last_id: str | None = None,
    timeout: float = PATIENCE_SECONDS,
) -> Following:
    """Open a stream; what is not 200 has its error in `response`."""
    connection = server.connect(timeout)
    sent = dict(headers) | ({"Last-Event-ID": last_id} if last_id is not None else {})
    connection.request("GET", path, headers=sent)
    return Following(connection, connection.getresponse())
