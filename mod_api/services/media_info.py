"""A sample's media info as an object, from the XML that is stored beside it.

The XML was written by a program, of a file that strangers upload: it is read with bounds, and one
that declares a document type (entities grow out of those) counts as broken.
"""

import base64
import binascii
import re
from typing import Any, NoReturn
from xml.parsers import expat

from mod_api.services.outputs.file_names import media_key
from mod_sample.storage import NotStored, Repository, StorageStatus, StorageUnavailable

MOST_BYTES = 1024 * 1024
MOST_ELEMENTS = 5000
MOST_TEXT = 1000
DEEPEST = 16
READ_S = 1.5
# How mediainfo marks a value with a character that XML cannot have, such as a control character.
ENCODED = "binary.base64"
NAMESPACE = re.compile(r"^[^:]*:")


def _decoded(text: str) -> str:
    """The text that base64 stands for; `text` itself where it is none."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return text


class _Refused(Exception):
    """XML of a shape that is not read."""


def media_info(repository: Repository, sha: str) -> tuple[dict[str, Any], StorageStatus]:
    """Return `{"tracks": [{"type": "General", ...}, ...]}`, every value as text, and where it is.

    The tracks are empty where the file is missing or broken, and where a storage that might have it
    does not answer in time: then it is `degraded`.
    """
    key = media_key(sha)
    if key is None:
        return {}, StorageStatus.MISSING
    try:
        data = repository.read(key, MOST_BYTES + 1, READ_S)
    except NotStored:
        return {}, StorageStatus.MISSING
    except StorageUnavailable:
        return {}, StorageStatus.DEGRADED
    return parse(data), StorageStatus.OK


def parse(data: bytes) -> dict[str, Any]:
    """The tracks in mediainfo's XML, old and new; empty for what is none."""
    if len(data) > MOST_BYTES:
        return {}
    reader = _Reader()
    try:
        reader.parser.Parse(data, True)
    except (expat.ExpatError, _Refused, LookupError, ValueError):
        return {}
    return {"tracks": reader.tracks} if reader.tracks else {}


class _Reader:
    """Collects every `track` element as it is parsed: its children by name, nested ones nested."""

    def __init__(self) -> None:
        self.tracks: list[dict[str, Any]] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._open: list[dict[str, Any]] = []
        self._words: list[str] = []
        self._is_encoded = False
        self._depth = 0
        self._elements = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > DEEPEST or self._elements > MOST_ELEMENTS:
            raise _Refused
        self._words = []
        self._is_encoded = attributes.get("dt") == ENCODED
        if self._open:
            self._open.append({})
        elif NAMESPACE.sub("", name).lower() == "track":
            self._open.append({"type": attributes.get("type", "")[:MOST_TEXT]})

    def _end(self, name: str) -> None:
        self._depth -= 1
        if not self._open:
            return
        finished = self._open.pop()
        if not self._open:
            self.tracks.append(finished)
            return
        text = "".join(self._words)
        if self._is_encoded:
            text = _decoded(text)
        text = text.strip()[:MOST_TEXT]
        self._words, self._is_encoded = [], False
        # What is said twice (an old mediainfo gives a size in bytes, then in words) is said best
        # the first time.
        self._open[-1].setdefault(NAMESPACE.sub("", name)[:100], finished or text)

    def _text(self, data: str) -> None:
        if self._open:
            self._words.append(data)

    def _refuse(self, *_: Any) -> NoReturn:
        raise _Refused
