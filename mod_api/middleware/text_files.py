"""Text files as responses: by range as they are, or whole and compressed on the way."""

import zlib
from collections.abc import Iterator

from flask import Response, request

from mod_api.middleware.files import send
from mod_sample.storage import Repository

CONTENT_TYPE = "text/plain; charset=utf-8"
GZIP = 16 + zlib.MAX_WBITS


def send_text(repository: Repository, key: str, filename: str) -> Response:
    """Stream a stored text: ranges as stored, a whole file compressed for who takes gzip.

    Raises NotFound, Unavailable.
    """
    response = send(repository, key, filename, content_type=CONTENT_TYPE)
    response.headers["Vary"] = "Accept-Encoding"
    wants_gzip = request.accept_encodings.quality("gzip") > 0 and "Range" not in request.headers
    if response.status_code not in (200, 304) or not wants_gzip or request.method == "HEAD":
        return response
    etag, _ = response.get_etag()
    # The same text in other bytes: good for asking again, not for going on with a range.
    response.set_etag(etag or "", weak=True)
    if response.status_code == 304:
        return response
    content = response.response
    response.response = _compressed(content)  # type: ignore[arg-type]  # chunks of bytes
    response.call_on_close(getattr(content, "close", lambda: None))
    response.headers["Content-Encoding"] = "gzip"
    del response.headers["Content-Length"]
    response.headers.pop("Accept-Ranges", None)
    return response


def _compressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(level=5, wbits=GZIP)
    for chunk in chunks:
        part = squeeze.compress(chunk)
        if part:
            yield part
    yield squeeze.flush()
