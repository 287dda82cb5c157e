"""What only the real server shows: chunked bodies, broken requests, its own log."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests import factories
from tests.concurrency.web import Http, Server, serving
from tests.runners import API, Runner

pytestmark = pytest.mark.slow


@pytest.fixture
def server(sqlite_app, site, tmp_path: Path) -> Iterator[Server]:
    with serving(site.url, site.repository, tmp_path, processes=1) as started:
        yield started


@pytest.fixture
def writer(site) -> dict[str, str]:
    return {**factories.signed_in("admin", "runs:write", "runs:read"), "Host": "x"}


def chunks(size: int) -> Iterator[bytes]:
    """A body that is complete JSON wherever it is cut off."""
    yield b"{}"
    for _ in range(size // 65536):
        yield b" " * 65536


def test_a_chunked_body_over_the_limit_is_413_and_cancels_nothing(server, writer) -> None:
    run = factories.run()

    response = requests.post(
        f"{server.address}{API}/runs/{run.id}/cancel",
        data=chunks(3 * 1024 * 1024),
        headers={**writer, "Content-Type": "application/json"},
        timeout=30,
    )

    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    shown = requests.get(f"{server.address}{API}/runs/{run.id}", headers=writer, timeout=30)
    assert shown.json()["status"] == "queued"


def test_a_chunked_log_over_the_limit_is_413_and_appends_nothing(server, site) -> None:
    factories.run()
    held = Runner(Http(server), factories.signed_in("admin", "runs:execute")).claim()
    line = b"x" * 1023 + b"\n"

    refused = held.append(0, iter([line * 1024, line]))
    taken = held.append(0, iter([line * 512, line * 512]))

    assert refused.status_code == 413
    assert (taken.status_code, taken.json["offset"]) == (200, 1024 * 1024)


def test_a_chunked_body_within_the_limit_is_read(server, writer) -> None:
    run = factories.run()

    response = requests.post(
        f"{server.address}{API}/runs/{run.id}/cancel",
        data=iter([b'{"rea', b'son": "because"', b"}"]),
        headers={**writer, "Content-Type": "application/json"},
        timeout=30,
    )

    assert (response.status_code, response.json()["status"]) == (202, "accepted")


def test_a_chunked_body_where_none_belongs_is_400(server, writer) -> None:
    response = requests.get(
        f"{server.address}{API}/runs", data=chunks(65536), headers=writer, timeout=30
    )

    assert response.status_code == 400


BROKEN = (
    b"GET /api/v1/system/health HTTP/1.1\r\n\r\n",
    b"GET /api/v1/system/health HTTP/9.9\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/runs?\xff\xfe\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /api/v1/runs/\xd9\xa1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 1e9\r\n\r\n",
    b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{}",
    b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"\r\n\r\n",
    b"PROPFIND /api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get /api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n",
)


def ask(server: Server, request: bytes) -> bytes:
    """The first bytes of what is answered to a request that is sent as it is."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        answer = b""
        # A server that has seen enough hangs up, perhaps before all was sent or read.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
        return answer


def test_broken_requests_break_nothing(server) -> None:
    for request in BROKEN:
        answer = ask(server, request)

        status = answer.split(b" ", 2)[1:2]
        assert not status or int(status[0]) < 500, (request[:80], answer[:300])
        assert b"Traceback" not in answer
        assert b"evil.example" not in answer
        assert requests.get(f"{server.address}{API}/system/health", timeout=20).ok


def test_every_line_of_the_log_has_its_requests_id_and_no_secret(server, writer, raw) -> None:
    token = writer["Authorization"].split()[1]
    run = factories.run(progress=["preparation"])
    factories.result(run, factories.regression_test())
    raw.execute("UPDATE test_result SET runtime = 'no number'")
    asked = {
        f"asked-{number}": path
        for number, path in enumerate(
            [f"/runs/{run.id}/samples", "/runs", "/nothing", "/runs?limit=0", f"/runs/{run.id}"]
        )
    }
    for request_id, path in asked.items():
        answer = requests.get(
            f"{server.address}{API}{path}",
            headers={**writer, "X-Request-Id": request_id},
            timeout=20,
        )
        assert answer.headers["X-Request-Id"] == request_id
    requests.post(
        f"{server.address}{API}/auth/tokens",
        json={"email": "a@example.org", "password": "a-secret-word", "token_name": "a"},
        timeout=20,
    )
    server.stop()

    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {line.get("request_id") for line in lines} >= set(asked)
    assert all(line.get("request_id") for line in lines if line["event"] == "request")
    errors = [line for line in lines if line["level"] == "error"]
    assert errors
    assert {line["request_id"] for line in errors} <= set(asked)
    assert token not in text
    assert "a-secret-word" not in text
