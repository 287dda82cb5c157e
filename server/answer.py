"""What the WSGI application answers: its head, the first part of its body, and what remains."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mod_api.streaming.stream import Stream

PIECE_BYTES = 64 * 1024
Wsgi = Callable[..., Iterable[bytes]]


@dataclass
class Answer:
    """`start`: the head as ASGI has it. `first`: the body, or as much as one piece of it.

    `is_whole`: nothing comes behind `first`. `stream`: the body is followed, not iterated. Once it
    is sent, an answer is to be closed, in a thread.
    """

    start: dict[str, Any]
    first: bytes = b""
    is_whole: bool = False
    stream: Stream | None = None
    _rest: Iterator[bytes] = field(default_factory=lambda: iter(()))
    _close: Callable[[], object] | None = None

    def next_piece(self) -> bytes:
        """The next part of the body; empty at its end."""
        found = bytearray()
        for part in self._rest:
            found += part
            if len(found) >= PIECE_BYTES:
                break
        return bytes(found)

    def close(self) -> None:
        """Give back what the body holds on to; closing twice is harmless."""
        close, self._close = self._close, None
        if close is not None:
            close()


def ask(app: Wsgi, environ: dict[str, Any]) -> Answer:
    """Call the application, in a thread. Raises what it raises."""
    start: dict[str, Any] = {}
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        start.update(
            type="http.response.start",
            status=int(status.split(" ", 1)[0]),
            headers=[
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
            ],
        )
        return written.append

    body = app(environ, start_response)
    if isinstance(body, Stream):
        return Answer(start, stream=body)
    answer = Answer(start, _rest=iter(body), _close=getattr(body, "close", _nothing))
    try:
        # The head is complete only once the body has begun.
        answer.first = b"".join(written) + answer.next_piece()
        length = next((int(v) for name, v in start["headers"] if name == b"content-length"), None)
        answer.is_whole = len(answer.first) < PIECE_BYTES or len(answer.first) == length
    except BaseException:
        answer.close()
        raise
    return answer


def _nothing() -> None:
    """A body that holds on to nothing."""
