"""Files as responses: ranges, validators, and bytes that are never held in memory as a whole."""

import mimetypes
from datetime import datetime, timedelta

from flask import Response, request
from werkzeug.datastructures import Range
from werkzeug.http import is_resource_modified, parse_range_header

from database import now
from errors import NotFound, Unavailable
from mod_api import application
from mod_api.middleware import compression
from mod_api.middleware.errors import answer
from mod_api.services.outputs.downloads import FileAccess
from mod_sample.storage import (
    Content,
    NotStored,
    OutOfRange,
    Repository,
    StorageUnavailable,
    UnsafeName,
    attachment,
)

UNCHANGED = "The file is the one of If-None-Match or, without that, as old as If-Modified-Since"


def shelf() -> FileAccess:
    """Return the file access of this request: its storage, and the base URL of its client."""
    settings = application.settings()
    return FileAccess(
        repository=application.repository(),
        signing_key=settings.secret_key.encode(),
        base=application.base_url(),
    )


def send(
    repository: Repository, key: str, filename: str, *, content_type: str | None = None
) -> Response:
    """Stream a stored file: 200, 206 for one range, 304, or 416.

    Raises NotFound when no storage has it, Unavailable when none answers.
    """
    wanted = parse_range_header(request.headers.get("Range"))
    try:
        content, status = _open(repository, key, wanted)
    except OutOfRange as error:
        return _not_in_file(error.size)
    except (NotStored, UnsafeName) as error:
        raise NotFound("file", filename) from error
    except StorageUnavailable as error:
        raise Unavailable("The storage does not answer.", retry_after=5) from error
    etag = content.stat.etag.strip('"')
    modified = _told_as_modified(content.stat.modified)
    if is_resource_modified(request.environ, etag=etag, last_modified=modified):
        kind = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        response = _with_bytes(content, status, kind, filename)
        if modified is not None:
            response.last_modified = modified
    else:
        content.close()
        response = Response(status=304)
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"  # kept, and asked about by its ETag
    return response


def send_text(repository: Repository, key: str, filename: str) -> Response:
    """Stream a stored text: ranges as stored, a whole file compressed for who takes that.

    Raises NotFound, Unavailable.
    """
    response = send(repository, key, filename, content_type="text/plain; charset=utf-8")
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


def _told_as_modified(modified: datetime) -> datetime | None:
    """The time for Last-Modified, once it can mean no other content: a log may grow again in the
    second in which it was written."""
    second = modified.replace(microsecond=0)
    return second if now() - second >= timedelta(seconds=1) else None


def _with_bytes(content: Content, status: int, content_type: str, filename: str) -> Response:
    response = Response(content, status=status, content_type=content_type, direct_passthrough=True)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = attachment(filename)
    response.headers["Content-Length"] = str(content.length)
    if status == 206:
        last = content.start + content.length - 1
        response.headers["Content-Range"] = f"bytes {content.start}-{last}/{content.stat.size}"
    return response


def _not_in_file(size: int) -> Response:
    response = answer(
        416, "range_not_satisfiable", f"The file has {size} bytes.", {"size_bytes": size}
    )
    response.headers["Content-Range"] = f"bytes */{size}"
    return response


def _open(repository: Repository, key: str, wanted: Range | None) -> tuple[Content, int]:
    whole = repository.open(key)
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return whole, 200
    etag = whole.stat.etag.strip('"')
    if "If-Range" in request.headers and request.if_range.etag != etag:
        return whole, 200
    size = whole.stat.size
    whole.close()
    start, stop = wanted.ranges[0]
    if start < 0:  # that many bytes from the end, or all where there are fewer
        start = max(0, size + start)
    if start >= size:
        raise OutOfRange(key, start, size)
    return repository.open(key, start, min(stop or size, size) - start), 206
