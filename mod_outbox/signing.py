"""Signatures of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, by secrets `whsec_...`.

A secret is derived from SECRET_KEY and a random salt, so that the tables alone sign nothing.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

PREFIX = "whsec_"


def new_salt() -> str:
    """A salt for a new secret."""
    return secrets.token_hex(16)


def secret_of(salt: str, secret_key: str) -> bytes:
    """The secret of a webhook with this salt."""
    return hmac.digest(secret_key.encode(), f"webhook:{salt}".encode(), hashlib.sha256)


def shown(secret: bytes) -> str:
    """A secret as its receiver keeps it."""
    return PREFIX + base64.b64encode(secret).decode()


def headers(
    message_id: str, timestamp: int, body: bytes, signed_by: Sequence[bytes]
) -> dict[str, str]:
    """The headers of a message, with one signature for each secret."""
    told = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(hmac.digest(secret, told, hashlib.sha256)).decode()
        for secret in signed_by
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
