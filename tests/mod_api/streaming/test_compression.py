"""Compressed answers of a real server: which, how, and which never."""

import gzip
import http.client
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from backports import zstd
from flask import Flask

from mod_api.document import COMMITTED
from mod_api.middleware.compression import SMALLEST, WITH_CREDENTIALS
from tests import factories
from tests.factories import MATCH, Expected
from tests.runners import API, Held, Runner, accepted
from tests.web_server import Reply, Server

SECRETS = ("token", "credential", "password", "secret")
READ: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress, "zstd": zstd.decompress, None: bytes
}  # fmt: skip


@pytest.fixture
def asked(sqlite_app: Flask, server: Server) -> Callable[..., Reply]:
    """`asked(path, coding, ...)`: the answer for somebody who takes `coding`."""
    headers = factories.signed_in("user", "runs:read", "results:read", "system:read")

    def ask(path: str, coding: str | None = None, *, method: str = "GET", **more: str) -> Reply:
        sent = {**headers, **more} | ({"Accept-Encoding": coding} if coding is not None else {})
        return server.ask(method, API + path, headers=sent)

    return ask


@pytest.fixture
def run_id(sqlite_app: Flask) -> int:
    """A run with a page of results."""
    tests = [factories.regression_test() for _ in range(30)]
    return int(factories.run(tests=tests).id)


def body_of(reply: Reply) -> bytes:
    return READ[reply.headers.get("content-encoding")](reply.body)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"), ("zstd", "zstd"), ("gzip, zstd", "zstd"), ("zstd;q=0.4, gzip", "gzip"),
        ("GZIP", "gzip"), ("gzip, deflate, br, zstd", "zstd"), ("gzip, deflate", "gzip"),
        ("*", "gzip"), ("*;q=0.1", "gzip"), ("gzip;q=0.001", "gzip"), ("zstd;q=0, *", "gzip"),
        (None, None), ("", None), ("identity", None), ("br, deflate", None), ("gzip;q=0", None),
        ("gzip;q=0, *", None), ("*;q=0", None), ("identity, gzip;q=0.5", None),
        ("gzip;q=0, zstd;q=0.0", None),
    ],
)  # fmt: skip
def test_the_client_decides_by_its_weights(
    asked: Callable[..., Reply], run_id: int, accepted: str | None, coding: str | None
) -> None:
    path = f"/runs/{run_id}/samples?limit=100"
    plain, reply = asked(path), asked(path, accepted)

    assert (reply.status, reply.headers.get("content-encoding")) == (200, coding)
    assert body_of(reply) == plain.body
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert reply.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    if coding:
        assert len(reply.body) < len(plain.body) / 4


def test_a_tag_is_strong_for_the_plain_bytes_only(asked: Callable[..., Reply], run_id: int) -> None:
    path = f"/runs/{run_id}/samples?limit=100"
    plain, packed = asked(path), asked(path, "gzip")

    assert packed.headers["etag"] == "W/" + plain.headers["etag"]
    for coding in ("gzip", "zstd", None):
        for had in (plain, packed):
            again = asked(path, coding, **{"If-None-Match": had.headers["etag"]})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == had.headers["etag"]
            assert again.headers["vary"] == "Accept-Encoding"
            assert "content-encoding" not in again.headers


def test_head_tells_what_get_would_send(asked: Callable[..., Reply], run_id: int) -> None:
    path = f"/runs/{run_id}/samples?limit=100"
    got, told = asked(path, "gzip"), asked(path, "gzip", method="HEAD")

    assert (told.status, told.body) == (200, b"")
    for name in ("content-encoding", "content-length", "etag", "vary"):
        assert told.headers[name] == got.headers[name]


def test_small_answers_stay_as_they_are(asked: Callable[..., Reply]) -> None:
    for path in ("/system/health", "/runs/1", "/nothing"):
        reply = asked(path, "gzip")
        assert len(reply.body) < SMALLEST
        assert "content-encoding" not in reply.headers


@pytest.mark.parametrize(
    "path",
    ["/openapi.json", "/openapi.yaml", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"],
)
def test_the_documentation_is_compressed(asked: Callable[..., Reply], path: str) -> None:
    plain = asked(path)

    for coding in ("gzip", "zstd"):
        packed = asked(path, coding)
        assert packed.headers["content-encoding"] == coding
        assert body_of(packed) == plain.body
        assert len(packed.body) < len(plain.body) / 2.5


def test_a_picture_stays_as_it_is(asked: Callable[..., Reply]) -> None:
    assert "content-encoding" not in asked("/docs/favicon-32x32.png", "gzip").headers


def test_an_event_stream_is_not_compressed(server: Server, someone, held: Held) -> None:
    accepted(held.append(0, b"one line\n" * 1000))
    for path in (f"/runs/{held.run_id}/logs/stream", f"/runs/{held.run_id}/events"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", API + path, headers={**someone, "Accept-Encoding": "gzip, zstd"})
        answer = connection.getresponse()
        first = answer.read(6)
        connection.close()

        assert answer.status == 200
        assert answer.getheader("Content-Encoding") is None
        assert first.isascii()


def test_a_raw_log_is_compressed_whole_but_not_by_range(
    asked: Callable[..., Reply], held: Held
) -> None:
    text = b"".join(b"line %d of a log\n" % number for number in range(20_000))
    accepted(held.append(0, text))
    path = f"/runs/{held.run_id}/logs/raw"

    for coding in ("gzip", "zstd"):
        whole = asked(path, coding)
        part = asked(path, coding, Range="bytes=5-14")
        assert whole.headers["content-encoding"] == coding
        assert body_of(whole) == text
        assert (part.status, part.body) == (206, text[5:15])
        assert "content-encoding" not in part.headers


def test_a_download_stays_as_it_is_stored(
    sqlite_app: Flask, asked: Callable[..., Reply], server: Server, sample_repository
) -> None:
    content = b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 200
    stored = factories.stored_output(sample_repository, content)
    test = factories.regression_test(outputs=[Expected(correct=stored, filename="a.srt")])
    run = factories.run(progress=["testing", "completed"], tests=[test])
    factories.result(run, test, outputs={test.outputs[0]: MATCH})
    found = json.loads(asked(f"/runs/{run.id}/artifacts?type=expected_output").body)["data"]
    url = found[0]["download_url"]

    reply = server.get(url, {"Accept-Encoding": "gzip, zstd"})
    part = server.get(url, {"Accept-Encoding": "gzip", "Range": "bytes=0-9"})

    assert (reply.status, reply.body) == (200, content)
    assert (part.status, part.body) == (206, content[:10])
    for one in (reply, part):
        assert "content-encoding" not in one.headers
        assert not one.headers["etag"].startswith("W/")


def test_what_holds_a_credential_is_not_compressed(
    sqlite_app: Flask, server: Server, runners: Runner
) -> None:
    factories.run(tests=[factories.regression_test() for _ in range(30)])
    body = json.dumps({"platform": "linux", "runner_name": "r"}).encode()
    headers = {**runners.headers, "Content-Type": "application/json", "Accept-Encoding": "gzip"}

    claim = server.ask("POST", f"{API}/attempts", body, headers)

    assert claim.status == 201, claim.body
    assert len(claim.body) > SMALLEST
    assert "content-encoding" not in claim.headers


def test_every_operation_that_answers_with_a_secret_is_on_the_list() -> None:
    document = yaml.load(COMMITTED.read_bytes(), Loader=yaml.CSafeLoader)
    schemas = document["components"]["schemas"]

    def has_secret(schema: Any) -> bool:
        if isinstance(schema, list):
            return any(has_secret(part) for part in schema)
        if not isinstance(schema, dict):
            return False
        if "$ref" in schema:
            return has_secret(schemas[schema["$ref"].rsplit("/", 1)[1]])
        if any(name in SECRETS for name in schema.get("properties", {})):
            return True
        return any(has_secret(part) for part in schema.values())

    answering = {
        path
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for status, response in operation["responses"].items()
        if str(status).startswith("2")
        and has_secret(response.get("content", {}).get("application/json", {}))
    }

    assert {"/auth/tokens", "/attempts"} <= answering
    assert not [path for path in answering if not (API + path).startswith(WITH_CREDENTIALS)]


def test_what_the_codings_give_is_one_whole_body(asked: Callable[..., Reply], run_id: int) -> None:
    packed = asked(f"/runs/{run_id}/samples?limit=100", "gzip")
    machine = zlib.decompressobj(16 + zlib.MAX_WBITS)

    machine.decompress(packed.body)

    assert machine.eof
    assert machine.unused_data == b""
