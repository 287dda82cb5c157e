"""Frames of the text/event-stream format (WHATWG HTML, "Server-sent events")."""

import json
from typing import Any

# No empty line follows: these lines belong to the block of the next event. Some clients (httpx-sse)
# make an event of every empty line, also where the block before it has no data.
HELLO = b"retry: 2000\n"
KEEP_ALIVE = b": keep-alive\n"
# The id of the `end` event. A client that comes back with it is answered 204: do not come back.
END = "end"
MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that buffers would hold back what is live
}


def frame(event: str, data: dict[str, Any], *, id: str | None = None) -> bytes:
    """One event. JSON has no raw line ends, so the data is always one line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"id: {id}\n" if id is not None else ""
    return f"{head}event: {event}\ndata: {text}\n\n".encode()


def end(run_id: int | str, status: str) -> bytes:
    """The last event of every stream."""
    return frame("end", {"run_id": run_id, "status": status}, id=END)
