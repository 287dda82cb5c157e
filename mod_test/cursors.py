"""Opaque, tamper-evident cursors: what a page hands out and takes back.

A cursor carries a small payload, signed for one kind of use. Clients see only text; a
text that was made up, altered or made for another use is a `BadCursor`.
"""

import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

MAX_CURSOR_CHARACTERS = 255


class BadCursor(ValueError):
    """The text is no cursor that this server made for this use."""


def seal(kind: str, payload: Mapping[str, Any], key: bytes) -> str:
    """The cursor that carries `payload` (JSON values), usable only where `kind` is expected.

    The same payload always makes the same text. Raises ValueError when the cursor would
    be longer than 255 characters.
    """
    text = _serializer(kind, key).dumps(dict(payload))
    sealed = text if isinstance(text, str) else text.decode("ascii")
    if len(sealed) > MAX_CURSOR_CHARACTERS:
        raise ValueError(f"a cursor of kind {kind} has {len(sealed)} characters")
    return sealed


def open_sealed(kind: str, cursor: str, key: bytes) -> dict[str, Any]:
    """The payload that `seal` was given. Raises BadCursor for any other text."""
    if len(cursor) > MAX_CURSOR_CHARACTERS or not cursor.isascii():
        raise BadCursor("the cursor is not one of ours")
    serializer = _serializer(kind, key)
    try:
        payload = serializer.loads(cursor)
    except (BadData, binascii.Error, ValueError) as error:
        raise BadCursor("the cursor is not one of ours") from error
    # Base64 has several spellings of the same signature; only the one we wrote is ours.
    value = cursor.rpartition(".")[0]
    if not hmac.compare_digest(_text(serializer.make_signer().sign(value)), cursor):
        raise BadCursor("the cursor is not one of ours")
    if not isinstance(payload, dict):
        raise BadCursor("the cursor is not one of ours")
    return payload


def _serializer(kind: str, key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(
        key,
        salt=f"cursor.{kind}",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _text(signed: bytes | str) -> str:
    return signed if isinstance(signed, str) else signed.decode("ascii")
