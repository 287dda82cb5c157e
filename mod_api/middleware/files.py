"""Files as responses: ranges, validators, and bytes that are never held in memory as a whole."""

import mimetypes

from flask import Response, request
from werkzeug.datastructures import Range
from werkzeug.http import is_resource_modified, parse_range_header

from errors import NotFound, Unavailable
from mod_sample.storage import (
    Content,
    NotStored,
    OutOfRange,
    Repository,
    StorageUnavailable,
    UnsafeName,
    attachment,
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
        return Response(status=416, headers={"Content-Range": f"bytes */{error.size}"})
    except (NotStored, UnsafeName) as error:
        raise NotFound("file", filename) from error
    except StorageUnavailable as error:
        raise Unavailable("The storage does not answer.", retry_after=5) from error
    size = content.stat.size
    kind = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
    response = Response(content, status=status, content_type=kind, direct_passthrough=True)
    response.set_etag(content.stat.etag.strip('"'))
    response.last_modified = content.stat.modified
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Disposition"] = attachment(filename)
    response.headers["Content-Length"] = str(content.length)
    if status == 206:
        last = content.start + content.length - 1
        response.headers["Content-Range"] = f"bytes {content.start}-{last}/{size}"
    if not is_resource_modified(request.environ, etag=content.stat.etag.strip('"')):
        content.close()
        fresh = Response(status=304)
        fresh.set_etag(content.stat.etag.strip('"'))
        return fresh
    return response


def _open(repository: Repository, key: str, wanted: Range | None) -> tuple[Content, int]:
    whole = repository.open(key)
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return whole, 200
    if request.if_range.etag and request.if_range.etag != whole.stat.etag.strip('"'):
        return whole, 200
    size = whole.stat.size
    bounds = wanted.range_for_length(size)
    whole.close()
    if bounds is None:
        raise OutOfRange(key, size, size)
    start, stop = bounds
    return repository.open(key, start, stop - start), 206
