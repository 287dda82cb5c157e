"""A Google Cloud Storage bucket as a storage."""

import base64
import io
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google_crc32c
import requests
import urllib3
from google.api_core import exceptions as api_errors
from google.auth import exceptions as auth_errors
from google.cloud.storage import Blob, Bucket
from google.cloud.storage import exceptions as media_errors
from google.cloud.storage.retry import DEFAULT_RETRY

from mod_sample.storage.backend import Content, Readable, Stat, span
from mod_sample.storage.disposition import attachment
from mod_sample.storage.errors import Damaged, NotStored, StorageError, StorageUnavailable
from mod_sample.storage.gcs_client import Signer, connect
from mod_sample.storage.keys import check_key, content_hash
from mod_sample.storage.measuring import measured
from mod_sample.storage.side_by_side import ask_within

# The first part is small, so that a dead bucket is noticed before an answer has begun.
_FIRST_CHUNK = 256 * 1024
_CHUNK = 2 * 1024 * 1024
_LONGEST_SIGNATURE_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the bucket is waited for, in seconds.

    `lookup_s`: for what is known of a file, retries included. `first_bytes_s`: for the
    first part of a content, looking it up included. `part_s`: for each further part, and
    for each part of an upload; `transfer_s`: for repeating one of them.
    """

    connect_s: float = 1.0
    lookup_s: float = 1.3
    first_bytes_s: float = 1.8
    part_s: float = 15.0
    transfer_s: float = 15.0


class GcsBackend:
    """Files in one bucket.

    Connects on first use, and anew in a forked process. Addresses are signed with
    `signer`, or with the service account's key that Google's library found; without one
    there are none. Where `STORAGE_EMULATOR_HOST` is set, the bucket is asked there and
    without credentials.
    """

    name = "gcs"

    def __init__(
        self, bucket: str, *, signer: Signer | None = None, limits: Limits | None = None
    ) -> None:
        self.bucket_name = bucket
        self.limits = limits or Limits()
        self._signer = signer
        self._connection: tuple[int, Bucket, Signer | None] | None = None
        self._lock = threading.Lock()

    def stat(self, key: str) -> Stat | None:
        """What is known of a file, or None. Raises UnsafeName, StorageUnavailable."""
        return self._stat(key, self.limits.lookup_s)

    def open_range(
        self, key: str, start: int = 0, length: int | None = None, within_s: float | None = None
    ) -> Content:
        """The bytes from `start` on, of the file as it is now, fetched part by part.

        The first part is here when this returns. `within_s` bounds everything, in seconds.
        Raises NotStored, OutOfRange, Damaged, StorageUnavailable, UnsafeName.
        """
        until = time.monotonic() + (within_s or self.limits.first_bytes_s)
        lookup_s = min(self.limits.lookup_s, until - time.monotonic())
        found = ask_within(lambda: self._stat(key, lookup_s), lookup_s)
        if found is None:
            raise NotStored(key)
        length = span(key, found.size, start, length)
        first = self._fetch(key, found, start, min(length, _FIRST_CHUNK), until)

        if len(first) == found.size:
            _check_whole(key, found, google_crc32c.value(first))
        parts = self._parts(key, found, start, length, first, until if within_s else None)
        return Content(found, start, length, parts, _nothing_to_release)

    def put(self, key: str, source: Path | Readable, content_type: str) -> Stat:
        """Keep a file; one whose content its name tells is sent only where it is missing.

        A `source` that is neither a path nor a file from its beginning is read into memory.
        Raises StorageUnavailable, UnsafeName.
        """
        check_key(key)
        if isinstance(source, Path):
            with source.open("rb") as file:
                return self._put(key, file, content_type)
        if isinstance(source, io.RawIOBase | io.BufferedIOBase) and source.seekable():
            return self._put(key, source, content_type)
        return self._put(key, io.BytesIO(_read_all(source)), content_type)

    def signed_url(
        self, key: str, expires_seconds: int, filename: str, content_type: str
    ) -> str | None:
        """A V4 signed address of the file, or None where there is no key to sign with.

        Nothing is asked of the bucket: whether the file exists is the caller's question.
        """
        check_key(key)
        with _storage_errors(key):
            bucket, signer = self._connect()
            if signer is None:
                return None
            url: str = bucket.blob(key).generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=min(expires_seconds, _LONGEST_SIGNATURE_S)),
                method="GET",
                credentials=signer,
                response_disposition=attachment(filename),
                response_type=content_type,
            )
        return url

    @measured("delete")
    def delete(self, key: str) -> None:
        """Remove a file; one that is not here is no error."""
        check_key(key)
        try:
            with _storage_errors(key):
                self._blob(key).delete(**self._patience(self.limits.lookup_s))
        except NotStored:
            return

    @measured("ping")
    def ping(self, timeout: float) -> str | None:
        """List one file, which also needs the right to do so; `timeout` in seconds.

        Gives a warning when the answer took more than half of that time. Raises
        StorageUnavailable.
        """
        began = time.monotonic()
        try:
            with _storage_errors(self.bucket_name):
                bucket, _ = self._connect()
                next(iter(bucket.list_blobs(max_results=1, **self._patience(timeout))), None)
        except NotStored as error:
            raise StorageUnavailable(f"there is no bucket {self.bucket_name}") from error
        took = time.monotonic() - began
        return f"answered after {took:.1f} s" if took > timeout / 2 else None

    @measured("stat")
    def _stat(self, key: str, timeout_s: float) -> Stat | None:
        check_key(key)
        try:
            with _storage_errors(key):
                blob = self._blob(key)
                blob.reload(**self._patience(timeout_s))
                return _stat_of(key, blob)
        except NotStored:
            return None

    @measured("write")
    def _put(self, key: str, file: io.RawIOBase | io.BufferedIOBase, content_type: str) -> Stat:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        named_by_content = content_hash(key) is not None
        # Uploads above this go in parts, each with a limit and repetition of its own.
        blob = self._blob(key, chunk_size=4 * _CHUNK)
        sending: dict[str, Any] = {
            "size": size,
            "content_type": content_type,
            "checksum": "crc32c",
            "timeout": (self.limits.connect_s, self.limits.part_s),
            "retry": DEFAULT_RETRY.with_timeout(self.limits.transfer_s),
        }
        with _storage_errors(key):
            try:
                blob.upload_from_file(
                    file, if_generation_match=0 if named_by_content else None, **sending
                )
            except api_errors.NotFound as error:
                raise StorageUnavailable(f"there is no bucket {self.bucket_name}") from error
            except api_errors.PreconditionFailed:
                blob.reload(**self._patience(self.limits.lookup_s))
                if blob.size != size:
                    # Somebody's broken upload has the name: replace just that generation.
                    file.seek(0)
                    blob.upload_from_file(file, if_generation_match=blob.generation, **sending)
            return _stat_of(key, blob)

    @measured("read")
    def _fetch(self, key: str, found: Stat, start: int, length: int, until: float) -> bytes:
        """Exactly `length` bytes of the generation that was found. `until` is monotonic."""
        if length == 0:
            return b""
        part = _Part(length, until)
        left = max(until - time.monotonic(), 0.1)
        with _storage_errors(key):
            self._blob(key, generation=found.generation).download_to_file(
                part,
                start=start,
                end=start + length - 1,
                raw_download=True,
                checksum=None,
                **self._patience(left),
            )
        data = part.getvalue()
        if len(data) != length:
            raise Damaged(f"{key}: {len(data)} bytes came where {length} were asked for")
        return data

    def _parts(
        self, key: str, found: Stat, start: int, length: int, first: bytes, until: float | None
    ) -> Iterator[bytes]:
        crc, position, end, part = 0, start, start + length, first
        while part:
            crc = google_crc32c.extend(crc, part)
            position += len(part)
            if position == end and length == found.size:
                _check_whole(key, found, crc)
            yield part
            limit = until or time.monotonic() + self.limits.part_s
            part = self._fetch(key, found, position, min(_CHUNK, end - position), limit)

    def _patience(self, seconds: float) -> dict[str, Any]:
        seconds = max(seconds, 0.1)
        retry = DEFAULT_RETRY.with_delay(initial=0.1, maximum=1.0, multiplier=2.0)
        return {
            "timeout": (min(self.limits.connect_s, seconds), seconds),
            "retry": retry.with_timeout(seconds),
        }

    def _blob(
        self, key: str, *, generation: int | None = None, chunk_size: int | None = None
    ) -> Blob:
        bucket, _ = self._connect()
        return bucket.blob(key, generation=generation, chunk_size=chunk_size)

    def _connect(self) -> tuple[Bucket, Signer | None]:
        with self._lock:
            # Connections must not be shared with the process this one was forked from.
            if self._connection is None or self._connection[0] != os.getpid():
                client, signer = connect()
                bucket = client.bucket(self.bucket_name)
                self._connection = (os.getpid(), bucket, self._signer or signer)
            return self._connection[1:]


class _Part(io.BytesIO):
    """Takes one part of a content, not longer and not later than agreed.

    A time-out of the connection only bounds the pause between two packets: a bucket that
    sends a little every second would hold a thread for hours.
    """

    def __init__(self, length: int, until: float) -> None:
        super().__init__()
        self._length = length
        self._until = until

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._length:
            raise Damaged(f"more than the {self._length} bytes that were asked for came")
        if time.monotonic() > self._until:
            raise StorageUnavailable("the bucket did not send a part in time")
        return super().write(data)


@contextmanager
def _storage_errors(what: str) -> Iterator[None]:
    """Turn everything that Google's library and those below it raise into our errors."""
    try:
        yield
    except StorageError:
        raise
    except api_errors.NotFound as error:
        raise NotStored(what) from error
    except media_errors.DataCorruption as error:
        raise Damaged(f"{what}: the bucket's checksum does not fit") from error
    except (
        api_errors.GoogleAPIError,
        auth_errors.GoogleAuthError,
        media_errors.InvalidResponse,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
        # What an answer that is not JSON, or JSON of another form, becomes.
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise StorageUnavailable(f"{what} in the bucket: {type(error).__name__}") from error


def _stat_of(key: str, blob: Blob) -> Stat:
    if blob.size is None:
        raise StorageUnavailable(f"{key}: the bucket's answer has no size")
    return Stat(
        size=int(blob.size),
        etag=content_hash(key) or str(blob.etag or blob.generation).strip('"'),
        modified=blob.updated or datetime.fromtimestamp(0, UTC),
        content_type=blob.content_type,
        generation=blob.generation,
        crc32c=blob.crc32c,
    )


def _check_whole(key: str, found: Stat, crc: int) -> None:
    if found.crc32c and base64.b64encode(crc.to_bytes(4, "big")).decode() != found.crc32c:
        raise Damaged(f"{key}: the content does not fit the bucket's checksum")


def _read_all(stream: Readable) -> bytes:
    data = bytearray()
    while chunk := stream.read(_CHUNK):
        data += chunk
    return bytes(data)


def _nothing_to_release() -> None:
    """Parts are fetched one by one: between them no connection is held."""
