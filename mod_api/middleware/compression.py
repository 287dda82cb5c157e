"""Compressed answers: zstd or gzip, for clients that take them (docs/adr/023-compression.md).

A body that is in memory as a whole is compressed after the view; a stored text on its way
(`files.send_text`). Streams, ranges, binary files and answers that hold a credential stay as they
are.
"""

import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from flask import Response, request

from mod_api.application import PREFIX

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# The first is preferred where a client takes both equally.
CODINGS = ("zstd", "gzip")
# Below this, an answer fits into one packet with its head.
SMALLEST = 1024
TYPES = frozenset(
    ("application/json", "application/yaml", "text/html", "text/css", "text/javascript",
     "text/plain", "text/markdown")
)  # fmt: skip
# Answers below these addresses hold tokens and credentials. Next to text that somebody else chose,
# the length of a compressed answer tells a secret bit by bit (BREACH).
WITH_CREDENTIALS = (f"{PREFIX}/auth/", f"{PREFIX}/attempts", f"{PREFIX}/webhooks")
GZIP = 16 + zlib.MAX_WBITS


class Compressor(Protocol):
    """A compressor of bytes that come in pieces."""

    def compress(self, data: bytes, /) -> bytes:
        """Take a piece and return what is ready of its compressed form."""

    def flush(self) -> bytes:
        """Return the rest."""


def chosen() -> str | None:
    """The coding for this request's answer; None when the client asks for none of ours."""
    weights = {name.lower(): weight for name, weight in reversed(list(request.accept_encodings))}
    # Whoever takes anything takes gzip; zstd is for those who name it.
    weights.setdefault("gzip", weights.get("*", 0))
    best = max(CODINGS, key=lambda coding: weights.get(coding, 0))
    weight = weights.get(best, 0)
    return best if weight > 0 and weight >= weights.get("identity", 0) else None


def compressor(coding: str) -> Compressor:
    """A new compressor: quick rather than thorough."""
    return zstd.ZstdCompressor(level=3) if coding == "zstd" else zlib.compressobj(5, wbits=GZIP)


def compress(data: bytes, coding: str) -> bytes:
    """A whole body, compressed."""
    machine = compressor(coding)
    return machine.compress(data) + machine.flush()


def compress_pieces(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """A body that comes in pieces, compressed in pieces."""
    machine = compressor(coding)
    for chunk in chunks:
        part = machine.compress(chunk)
        if part:
            yield part
    yield machine.flush()


def mark(response: Response, coding: str) -> None:
    """Say in the head of a response that its body is compressed.

    Its tag becomes weak: the same content, but not the same bytes.
    """
    response.headers["Content-Encoding"] = coding
    tag, is_weak = response.get_etag()
    if tag is not None and not is_weak:
        response.set_etag(tag, weak=True)


def compress_answer(response: Response) -> None:
    """Compress a body that is in memory as a whole, where that is worth it and safe."""
    if (
        response.mimetype not in TYPES
        or not response.is_sequence
        or response.direct_passthrough
        or len(response.get_data()) < SMALLEST
        or "Content-Encoding" in response.headers
        or "Content-Range" in response.headers
        or request.path.startswith(WITH_CREDENTIALS)
    ):
        return
    response.vary.add("Accept-Encoding")
    coding = chosen()
    if coding is not None:
        response.set_data(compress(response.get_data(), coding))
        mark(response, coding)
