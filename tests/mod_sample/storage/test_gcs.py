"""The bucket, on a real storage server that is slow, breaks off, refuses or lies."""

import base64
import hashlib
import io
import json
import os
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from mod_sample.storage import (
    Damaged,
    NotStored,
    OutOfRange,
    StorageUnavailable,
    UnsafeName,
    gcs,
    log_key,
)
from mod_sample.storage.gcs import GcsBackend, Limits
from tests.mod_sample.storage.conftest import BUCKET, named
from tests.mod_sample.storage.proxy import Fault

MEDIA = b"alt=media"
LOOKUP = b"projection=noAcl"
UPLOAD = b"uploadType="


def read(bucket: GcsBackend, key: str, start: int = 0, length: int | None = None) -> bytes:
    with bucket.open_range(key, start, length) as content:
        return b"".join(content)


def put(bucket: GcsBackend, content: bytes) -> str:
    """Keep content of a kind nobody else has; gives its key."""
    bucket.put(named(content), io.BytesIO(content), "application/octet-stream")
    return named(content)


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join(
        [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    )
    return head.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("size", [0, 1, 300_000, 9 * 1024 * 1024])
def test_what_is_put_can_be_read(bucket, size):
    content = os.urandom(size)
    key = named(content)

    kept = bucket.put(key, io.BytesIO(content), "text/plain")
    stat = bucket.stat(key)

    assert kept.size == stat.size == size
    assert stat.etag in key
    assert stat.content_type == "text/plain"
    assert read(bucket, key) == content


def test_bytes_that_look_like_lines_come_back_as_they_were(bucket):
    content = b"1\r\n00:00\r\r\n\n\x00\xff\r\n--boundary--\r\n\n\r"

    assert read(bucket, put(bucket, content)) == content


def test_ranges_are_those_of_the_content(bucket):
    content = os.urandom(5 * 1024 * 1024)
    key = put(bucket, content)

    assert read(bucket, key, 4_999_990) == content[4_999_990:]
    assert read(bucket, key, 7, 1_000_000) == content[7:1_000_007]
    assert read(bucket, key, 7, 0) == b""
    assert read(bucket, key, len(content)) == b""
    with pytest.raises(OutOfRange) as refused:
        bucket.open_range(key, len(content) + 1)
    assert refused.value.size == len(content)


def test_a_path_is_put_too(bucket, tmp_path):
    content = os.urandom(1000)
    (tmp_path / "file").write_bytes(content)

    bucket.put(named(content), tmp_path / "file", "application/octet-stream")

    assert read(bucket, named(content)) == content


def test_what_is_not_there_is_not_stored(bucket):
    assert bucket.stat(log_key(1)) is None
    with pytest.raises(NotStored):
        bucket.open_range(log_key(1))
    bucket.delete(log_key(1))


def test_a_lookup_is_one_request_and_nothing_is_asked_behind_our_back(bucket, proxy):
    bucket.stat(log_key(80))
    bucket.stat(log_key(81))

    assert [line.split(b"?")[0].rsplit(b"%2F")[-1] for line in proxy.requests] == [
        b"80.txt",
        b"81.txt",
    ]


def test_what_is_deleted_is_gone(bucket):
    key = put(bucket, b"to be deleted")

    bucket.delete(key)

    assert bucket.stat(key) is None


def test_a_file_that_may_change_is_replaced(bucket):
    for content in (b"one", b"two lines"):
        bucket.put(log_key(77), io.BytesIO(content), "text/plain")

        assert read(bucket, log_key(77)) == content


@pytest.mark.parametrize("key", ["../x", "/x", "TestFiles/a\0", "TempFiles/x", "TestFiles/../x"])
def test_hostile_keys_never_reach_the_bucket(bucket, proxy, key):
    for attempt in (
        lambda: bucket.stat(key),
        lambda: bucket.open_range(key),
        lambda: bucket.put(key, io.BytesIO(b"x"), "text/plain"),
        lambda: bucket.signed_url(key, 60, "x", "text/plain"),
        lambda: bucket.delete(key),
    ):
        with pytest.raises(UnsafeName):
            attempt()

    assert proxy.requests == []


def test_content_is_only_created_where_there_is_none(bucket, proxy):
    put(bucket, b"only where there is none")
    bucket.put(log_key(78), io.BytesIO(b"replaced"), "text/plain")

    by_name, changing = [line for line in proxy.requests if UPLOAD in line]
    assert b"ifGenerationMatch=0" in by_name
    assert b"ifGenerationMatch" not in changing


def test_content_that_somebody_else_put_meanwhile_is_kept_already(bucket, proxy):
    content = b"put by two at the same moment"
    key = put(bucket, content)
    proxy.fault = Fault(when=UPLOAD, answers=[answer("412 Precondition Failed")])

    stat = bucket.put(key, io.BytesIO(content), "text/plain")

    assert stat.size == len(content)
    assert proxy.fault.answers == []


def test_a_broken_upload_under_the_same_name_is_replaced(bucket, proxy):
    content = b"the whole of it"
    key = named(content)
    broken = GcsBackend(BUCKET)
    broken.put(key, io.BytesIO(b"the wh"), "text/plain")
    proxy.fault = Fault(when=UPLOAD, answers=[answer("412 Precondition Failed")])

    bucket.put(key, io.BytesIO(content), "text/plain")

    assert read(bucket, key) == content
    # Only the broken generation may be replaced.
    assert b"ifGenerationMatch=" in proxy.requests[-3]
    assert b"ifGenerationMatch=0" not in proxy.requests[-3]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(reset=True),
        Fault(hang=True),
        Fault(delay_s=30),
        Fault(answers=[answer("503 Service Unavailable")] * 20),
        Fault(answers=[answer("403 Forbidden")] * 20),
        Fault(answers=[answer("200 OK", b"<html>a hotel's sign-in page</html>")] * 20),
        Fault(answers=[answer("200 OK", b"{}", "Content-Type: application/json")] * 20),
        Fault(answers=[answer("200 OK", b"[]", "Content-Type: application/json")] * 20),
        Fault(answers=[b"SSH-2.0-OpenSSH\r\n"] * 20),
        Fault(answers=[b""] * 20),
    ],
    ids=[
        "reset",
        "hang",
        "late",
        "503",
        "403",
        "no-json",
        "empty-object",
        "list",
        "no-http",
        "nothing",
    ],
)
def test_a_bucket_that_does_not_answer_properly_is_unavailable(bucket, proxy, fault):
    key = put(bucket, b"asked for in vain")
    proxy.fault = fault

    for attempt in (
        lambda: bucket.stat(key),
        lambda: bucket.open_range(key),
        lambda: bucket.put(log_key(79), io.BytesIO(b"x"), "text/plain"),
    ):
        with pytest.raises(StorageUnavailable):
            attempt()


def test_a_port_where_nobody_listens_is_unavailable(monkeypatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    bucket = GcsBackend(BUCKET, limits=Limits(lookup_s=0.5))

    with pytest.raises(StorageUnavailable):
        bucket.stat(log_key(1))
    with pytest.raises(StorageUnavailable):
        bucket.ping(0.5)


def test_a_failure_that_passes_is_asked_again(bucket, proxy):
    key = put(bucket, b"asked for twice")
    proxy.fault = Fault(when=LOOKUP, answers=[answer("503 Service Unavailable")])

    assert bucket.stat(key).size == 15


def test_a_body_that_breaks_off_is_fetched_again_from_there(bucket, proxy):
    content = os.urandom(100_000)
    key = put(bucket, content)
    proxy.fault = Fault(when=MEDIA, cut_body_at=60_000)

    assert read(bucket, key) == content
    assert len([line for line in proxy.requests if MEDIA in line]) > 1


def test_a_body_that_always_breaks_off_at_once_is_never_taken_for_whole(bucket, proxy):
    key = put(bucket, os.urandom(100_000))
    proxy.fault = Fault(when=MEDIA, cut_body_at=0)

    with pytest.raises(StorageUnavailable):
        bucket.open_range(key)


def test_a_later_part_that_breaks_off_ends_the_reading_with_an_error(bucket, proxy):
    content = os.urandom(1_000_000)
    key = put(bucket, content)
    with bucket.open_range(key) as reading:
        parts = iter(reading)
        first = next(parts)
        proxy.fault = Fault(when=MEDIA, cut_body_at=0)

        with pytest.raises(StorageUnavailable):
            next(parts)

    assert content.startswith(first)


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_body_with_other_bytes_than_the_bucket_promised_is_damaged(bucket, proxy, change):
    content = os.urandom(1000)
    key = put(bucket, content)
    body = {"shorter": content[:-1], "longer": content + b"!", "other": b"!" + content[1:]}
    proxy.fault = Fault(when=MEDIA, answers=[answer("200 OK", body[change])])

    with pytest.raises(Damaged):
        bucket.open_range(key)


def test_a_body_that_drips_is_given_up(bucket, proxy):
    key = put(bucket, os.urandom(100_000))
    # Each pause is far shorter than the time-out of the connection, the whole far longer.
    proxy.fault = Fault(when=MEDIA, drip_s=0.0002)

    with pytest.raises(StorageUnavailable):
        read(bucket, key)


def test_the_time_for_a_reading_bounds_all_of_it(bucket, monkeypatch):
    content = os.urandom(1_000_000)
    key = put(bucket, content)
    bounded = bucket.open_range(key, within_s=60)
    unbounded = bucket.open_range(key)
    monkeypatch.setattr(gcs, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 61))

    with pytest.raises(StorageUnavailable):
        b"".join(bounded)
    assert b"".join(unbounded) == content


def test_a_bucket_that_works_says_so_and_one_that_does_not_exist_says_that(bucket, proxy):
    assert bucket.ping(2.0) is None
    missing = GcsBackend("no-such-bucket", limits=bucket.limits)

    with pytest.raises(StorageUnavailable, match="no-such-bucket"):
        missing.ping(2.0)
    with pytest.raises(StorageUnavailable, match="no-such-bucket"):
        missing.put(log_key(1), io.BytesIO(b"x"), "text/plain")


def test_without_credentials_the_bucket_is_unavailable_and_nothing_else(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))

    with pytest.raises(StorageUnavailable):
        GcsBackend(BUCKET).stat(log_key(1))


def test_without_a_key_nothing_is_signed(bucket):
    assert bucket.signed_url(log_key(1), 60, "log.txt", "text/plain") is None


def test_a_signed_address_leads_to_the_file_under_the_name_asked_for(proxy, signer):
    bucket = GcsBackend(BUCKET, signer=signer)
    key = put(bucket, b"signed for")

    url = bucket.signed_url(key, 300, 'Ünï "x"\r\nSet-Cookie: a=b;/../c.srt', "text/plain")
    fetched = requests.get(url, timeout=5)

    assert fetched.content == b"signed for"
    assert "Set-Cookie" not in fetched.headers
    assert parse_qs(urlsplit(url).query)["X-Goog-Expires"] == ["300"]
    disposition = fetched.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="_n__xSet-Cookie__a_b_..c.srt"; ')
    assert "filename*=UTF-8''%C3%9Cn%C3%AF" in disposition


def test_the_signature_is_that_of_the_service_account(proxy, key_file, private_key, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    url = GcsBackend(BUCKET).signed_url(log_key(3), 60, "log.txt", "text/plain")
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    canonical_query = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items())
    )
    request = "\n".join(
        ["GET", parts.path, canonical_query, f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"]
    )
    scope = query["X-Goog-Credential"].split("/", 1)[1]
    signed = "\n".join(
        [
            "GOOG4-RSA-SHA256",
            query["X-Goog-Date"],
            scope,
            hashlib.sha256(request.encode()).hexdigest(),
        ]
    )

    private_key.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_a_file_of_other_credentials_signs_nothing(proxy, tmp_path, monkeypatch):
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"type": "authorized_user"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))

    assert GcsBackend(BUCKET).signed_url(log_key(3), 60, "log.txt", "text/plain") is None


def test_parent_and_forked_child_read_at_the_same_time(bucket):
    key = put(bucket, b"read by parent and child")
    assert bucket.stat(key) is not None
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writer, read(bucket, key))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"read by parent and child"

    assert os.waitpid(child, 0)[1] == 0
    assert read(bucket, key) == b"read by parent and child"


def test_what_the_bucket_says_of_a_file_is_exact(bucket):
    content = b"exact"
    stat = bucket.stat(put(bucket, content))

    assert stat.modified.tzinfo is UTC
    assert stat.modified <= datetime.now(UTC)
    assert len(base64.b64decode(stat.crc32c)) == 4
    assert stat.generation > 0
