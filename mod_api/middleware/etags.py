"""ETags: a strong one names exactly one answer, byte by byte; a compressed answer has a weak one.

An approval changes how old runs read, and other programs write behind our back: nothing short of
reading the rows can say that an answer is still the same. What a match saves is sending it.
"""

import hashlib

from flask import Response, request

HEADER = {
    "ETag": {
        "description": "Names exactly this answer; weak where it is compressed",
        "schema": {"type": "string"},
    }
}
UNCHANGED = "If-None-Match names the answer of this moment"


def tag_of(body: bytes) -> str:
    """The tag of a body."""
    return hashlib.sha256(body).hexdigest()[:32]


def tagged(
    response: Response, tag: str | None = None, *, cache_control: str = "private, no-cache"
) -> Response:
    """The response with its tag, or 304 where the client has it already, compressed or not."""
    tag = tag or tag_of(response.get_data())
    given = request.if_none_match
    if "If-None-Match" in request.headers and given.contains_weak(tag):
        response = Response(status=304)
        response.set_etag(tag, weak=not given.contains(tag))
    else:
        response.set_etag(tag, weak="Content-Encoding" in response.headers)
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = cache_control
    return response
