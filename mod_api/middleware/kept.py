"""Answers that stay the same as long as the process runs: made, tagged and compressed once."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Response

from mod_api.middleware import compression, resource

PNG = "image/png"


@dataclass
class Kept:
    """A body that stays the same: made, tagged and compressed at the first request for it."""

    make: Callable[[], bytes]
    content_type: str
    _bodies: dict[str | None, bytes] = field(default_factory=dict)
    _tag: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> Response:
        """The body in the coding that the client prefers, or 304."""
        coding = compression.chosen() if self.content_type != PNG else None
        response = Response(self._body(coding), content_type=self.content_type)
        if coding is not None:
            response.headers["Content-Encoding"] = coding
        # Asked about each time: after an upgrade, no old part stays beside new ones.
        return resource.tagged(response, self._tag, cache_control="no-cache")

    def _body(self, coding: str | None) -> bytes:
        with self._lock:  # whoever comes meanwhile waits for the one who makes it
            if coding not in self._bodies:
                plain = self._bodies.get(None) or self.make()
                self._tag = self._tag or resource.tag_of(plain)
                self._bodies[coding] = compression.compress(plain, coding) if coding else plain
            return self._bodies[coding]
