"""Strong ETags: made of what an answer is made of, before it is written out.

An approval changes how old runs read, and other programs write behind our back: nothing short of
reading the rows can say that an answer is still the same. What a match saves is writing the answer
out and sending it, which costs more than the reading.
"""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from flask import Response, request

from mod_api.document import VERSION

HEADER = {"ETag": {"description": "Names exactly this answer", "schema": {"type": "string"}}}
UNCHANGED = "If-None-Match names the answer of this moment"


def tagged(view: Callable[..., Any]) -> Callable[..., Any]:
    """Give what `view` returns its tag, or answer 304 where the client has it already."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        found = view(*args, **kwargs)
        tag = fingerprint(found)
        headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
        if request.if_none_match.contains(tag):
            return Response(status=304, headers=headers)
        return found, headers

    return checked


def fingerprint(found: Any) -> str:
    """The tag of what is to be shown: values, and dataclasses, dicts and lists of them."""
    return hashlib.sha256(repr((VERSION, found)).encode()).hexdigest()[:32]
