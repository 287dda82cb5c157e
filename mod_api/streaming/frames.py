"""Frames of the text/event-stream format (WHATWG HTML, "Server-sent events")."""

import json
from typing import Any

# Each is followed by a place, or by an empty line.
HELLO = b"retry: 2000\n"
KEEP_ALIVE = b": keep-alive\n"
MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that buffers would hold back what is live
}


def place(id: object) -> bytes:
    """Tell the follower where it is, without an event: clients keep the id for when they return."""
    return f"id: {id}\n\n".encode()


def frame(event: str, data: dict[str, Any], *, id: str | None = None) -> bytes:
    """One event. JSON has no raw line ends, so the data is always one line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {event}\ndata: {text}\n\n".encode()
