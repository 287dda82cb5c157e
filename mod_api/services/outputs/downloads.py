"""Addresses from which a file can be fetched without a token, for ten minutes.

Where the bucket has the file and can sign, the address is the bucket's. Else it is our own, and
what it opens is sealed in it: nothing is kept, and nothing that was not handed out can be opened.
"""

import binascii
import functools
import time
from dataclasses import dataclass

from itsdangerous import BadData, URLSafeSerializer

from errors import NotFound
from mod_api.services.outputs.file_names import content_type_of
from mod_sample.storage import Located, Repository

VALID_S = 600
# Expiry is rounded up to a whole minute: an answer asked for again has the same address in it.
_STEP_S = 60
_LONGEST = 2000


@dataclass(frozen=True)
class FileAccess:
    """The storage of files, and the signing key and base URL of our download addresses."""

    repository: Repository
    signing_key: bytes
    base: str


@dataclass(frozen=True)
class Download:
    """The target of an address: a stored file, or the difference of two (`actual_key` is set)."""

    key: str
    filename: str
    actual_key: str | None = None


def file_url(shelf: FileAccess, key: str | None, where: Located, filename: str) -> str | None:
    """The address of a file that was just located; None where no storage has it."""
    if key is None or not where.backends:
        return None
    signed = shelf.repository.signed_url(
        key,
        where,
        expires_seconds=VALID_S,
        filename=filename,
        content_type=content_type_of(filename),
    )
    return signed or own_url(shelf, Download(key, filename))


def own_url(shelf: FileAccess, download: Download) -> str:
    """Return our own address of a download; the caller must check that the file exists."""
    expires = -(-int(time.time() + VALID_S) // _STEP_S) * _STEP_S
    return f"{shelf.base}/downloads/{_sealed(shelf.signing_key, expires, download)}"


# A list of regression tests has an address for each output, the same ones for a whole minute.
@functools.lru_cache(maxsize=4096)
def _sealed(signing_key: bytes, expires: int, download: Download) -> str:
    facts = [expires, download.key, download.filename[-200:], download.actual_key]
    sealed = _serializer(signing_key).dumps(facts)
    return sealed if isinstance(sealed, str) else sealed.decode("ascii")


def opened(sealed: str, signing_key: bytes) -> Download:
    """What was sealed. Raises NotFound for any other text, `link_expired` once its time is over."""
    if len(sealed) > _LONGEST or not sealed.isascii():
        raise _unknown()
    try:
        expires, key, filename, actual_key = _serializer(signing_key).loads(sealed)
    except (BadData, binascii.Error, ValueError, TypeError) as error:
        raise _unknown() from error
    if time.time() > expires:
        raise NotFound(
            "download", "link", "This address was valid for a few minutes: ask for a new one.",
            code="link_expired",
        )  # fmt: skip
    return Download(key, filename, actual_key)


def _unknown() -> NotFound:
    return NotFound("download", "link", "This is no address that was handed out here.")


def _serializer(signing_key: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(signing_key, salt="download")
