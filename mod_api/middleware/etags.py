"""Strong ETags: each names exactly one answer, byte by byte.

An approval changes how old runs read, and other programs write behind our back: nothing short of
reading the rows can say that an answer is still the same. What a match saves is sending it.
"""

import hashlib

from flask import Response, request

HEADER = {"ETag": {"description": "Names exactly this answer", "schema": {"type": "string"}}}
UNCHANGED = "If-None-Match names the answer of this moment"


def tagged(response: Response) -> Response:
    """The response with its tag, or 304 where the client has it already."""
    tag = hashlib.sha256(response.get_data()).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if "If-None-Match" in request.headers and request.if_none_match.contains(tag):
        return Response(status=304, headers=headers)
    response.headers.extend(headers)
    return response
