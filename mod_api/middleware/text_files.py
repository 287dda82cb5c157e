"""Text files as responses: by range as they are, or whole and compressed on the way."""

from flask import Response, request

from mod_api.middleware import compression
from mod_api.middleware.files import send
from mod_sample.storage import Repository

CONTENT_TYPE = "text/plain; charset=utf-8"


def send_text(repository: Repository, key: str, filename: str) -> Response:
    """Stream a stored text: ranges as stored, a whole file compressed for who takes that.

    Raises NotFound, Unavailable.
    """
    response = send(repository, key, filename, content_type=CONTENT_TYPE)
    response.vary.add("Accept-Encoding")
    coding = compression.chosen() if "Range" not in request.headers else None
    if response.status_code not in (200, 304) or coding is None or request.method == "HEAD":
        return response
    if response.status_code == 304:
        response.set_etag(response.get_etag()[0] or "", weak=True)
        return response
    content = response.response
    response.response = compression.compress_pieces(content, coding)  # type: ignore[arg-type]  # chunks of bytes
    response.call_on_close(getattr(content, "close", lambda: None))
    # The same text in other bytes: good for asking again, not for going on with a range.
    compression.mark(response, coding)
    del response.headers["Content-Length"]
    response.headers.pop("Accept-Ranges", None)
    return response
