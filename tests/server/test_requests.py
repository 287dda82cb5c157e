"""Ordinary requests through the server as it is run: whole, hostile, broken off and large."""

import hashlib
import json
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from tests import factories
from tests.patience import until
from tests.runners import Held
from tests.web_server import Server

API = "/api/v1"
HEALTH = f"{API}/system/health"


@contextmanager
def talking_to(server: Server, timeout: float = 30) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout)) as connection:
        yield connection


def head(method: str, path: str, **headers: str) -> bytes:
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{told}\r\n".encode("latin-1")


def chunked(*parts: bytes, whole: bool = True) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + (b"0\r\n\r\n" if whole else b"")


def status_of(connection: socket.socket) -> int:
    """The status of the answer that comes next; 0 when the connection is closed without one."""
    told = b""
    while b"\r\n" not in told and (part := connection.recv(65536)):
        told += part
    return int(told.split(b" ", 2)[1]) if told else 0


def exchange(server: Server, sent: bytes) -> int:
    with talking_to(server) as connection:
        connection.sendall(sent)
        return status_of(connection)


def of(held: Held, **more: str) -> dict[str, str]:
    return {**held.headers, "Content_Type": "application/octet-stream", **more}


@pytest.mark.parametrize(
    "path",
    ["/%2F", "/%00", "/%ff%fe", "/api/v1/runs/%2e%2e/1", "/api/v1/runs/%00", "/api/v1/%C0%AF",
     "/api/v1/runs/1%2Flogs", "//example.org/api/v1/runs", "/api/v1/runs?x=%ff", "/" + "a" * 7000,
     "/api/v1/runs/\u0661/logs/raw".encode().decode("latin-1"), "/\xff", "/api/v1/runs?x=\xff",
     "http://example.org/api/v1/system/health", "/%", "/%zz", "/api/v1/runs?%00=1", "/\\..\\"],
)  # fmt: skip
def test_a_hostile_path_is_refused_in_the_usual_shape(server: Server, path: str) -> None:
    with talking_to(server) as connection:
        connection.sendall(head("GET", path, Connection="close"))
        told = b"".join(iter(lambda: connection.recv(65536), b""))

    status, body = int(told.split(b" ", 2)[1]), told.partition(b"\r\n\r\n")[2]
    assert status in (200, 400, 401, 404)
    assert status == 200 or set(json.loads(body)) == {"code", "message", "details"}
    assert "Traceback" not in server.told()


@pytest.mark.parametrize(
    "headers",
    [{"X_Request_Id": "\xff\xfe"}, {"Authorization": "Bearer \xe9\xff"}, {"Cookie": "\xff=\x80"},
     {"Accept": "\xe4" * 100}, {"If_None_Match": "\xff"}, {"Last_Event_ID": "\xb2"}],
)  # fmt: skip
def test_a_header_of_any_bytes_breaks_nothing(server: Server, headers: dict[str, str]) -> None:
    assert exchange(server, head("GET", f"{API}/runs", **headers)) == 401
    assert exchange(server, head("GET", HEALTH, **headers)) == 200
    assert "Traceback" not in server.told()


def test_a_header_with_an_underscore_passes_for_no_other(serve: Callable[..., Server]) -> None:
    server = serve(rate_limit_read="1000/hour", trusted_proxies=1)

    told = [server.get(HEALTH, {"X_Forwarded_For": f"10.0.0.{number}"}) for number in range(3)]

    left = [int(reply.headers["x-ratelimit-remaining"]) for reply in told]
    assert left[0] > left[1] > left[2]


@pytest.mark.parametrize(
    "sent",
    [b"nonsense\r\n\r\n", b"GET\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
     b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
     b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_request_harms_nothing(server: Server, sent: bytes) -> None:
    assert exchange(server, sent) in (400, 404, 405, 426, 501)
    assert server.get(HEALTH).status == 200
    assert "Traceback" not in server.told()


@pytest.mark.parametrize("begin", [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_a_head_without_end_is_refused_before_it_fills_the_memory(
    server: Server, begin: bytes
) -> None:
    with talking_to(server) as connection:
        connection.sendall(begin)
        sent = 0
        with suppress(OSError):  # the server has closed: what it said is read below or was lost
            while sent < 64_000_000:
                connection.sendall(b"a" * 8192)
                sent += 8192

    assert sent < 32_000_000
    assert server.get(HEALTH).status == 200


def test_a_head_that_is_too_long_is_431_and_one_that_is_long_is_served(server: Server) -> None:
    assert exchange(server, head("GET", HEALTH, X="a" * 60_000)) == 200
    assert exchange(server, head("GET", HEALTH, X="a" * 70_000)[:-4]) == 431


def test_a_body_of_any_length_is_no_head(server: Server) -> None:
    body = b'{"email": "' + b"a" * 200_000 + b'"}'
    told = head(
        "POST", f"{API}/auth/tokens", Content_Type="application/json", Content_Length=str(len(body))
    )
    assert exchange(server, told + body) == 400


def test_one_connection_serves_many_requests(server: Server) -> None:
    connection = server.connect()
    for _ in range(3):
        connection.request("GET", HEALTH)
        response = connection.getresponse()
        assert response.status == 200
        assert response.read()
    connection.request("HEAD", HEALTH)
    response = connection.getresponse()

    assert (response.status, response.read()) == (200, b"")
    assert int(response.getheader("Content-Length") or 0) > 0


def test_a_body_in_chunks_is_read_whole(server: Server, held: Held) -> None:
    line = b"2026-01-01T00:00:00.000Z info build | " + b"x" * 50 + b"\n"
    path = f"{held.url}/log"
    small = head("PATCH", path, **of(held, Upload_Offset="0", Transfer_Encoding="chunked"))
    large = head(
        "PATCH", path, **of(held, Upload_Offset=str(len(line)), Transfer_Encoding="chunked")
    )

    assert exchange(server, small + chunked(line[:9], line[9:])) == 200
    assert exchange(server, large + chunked(*[line * 100] * 100)) == 200
    assert held.append(1 + 10001 * len(line), b"\n").json["details"]["offset"] == 10001 * len(line)


@pytest.mark.parametrize("size", [2 * 1024 * 1024, 40 * 1024 * 1024])
def test_a_body_that_is_too_large_is_refused_in_chunks_too(
    server: Server, held: Held, size: int
) -> None:
    path, of_held = f"{held.url}/log", of(held, Upload_Offset="0")
    block = b"x" * 65535 + b"\n"
    with talking_to(server) as connection:
        connection.sendall(head("PATCH", path, **of_held, Transfer_Encoding="chunked"))
        try:
            for _ in range(size // len(block)):
                connection.sendall(chunked(block, whole=False))
            connection.sendall(b"0\r\n\r\n")
        except ConnectionError:
            pass  # the answer may come, and the connection end, before all is sent
        in_chunks = status_of(connection)
    announced = exchange(server, head("PATCH", path, **of_held, Content_Length=str(size)))

    assert (in_chunks, announced) == (413, 413)


@pytest.mark.slow
def test_an_upload_of_100_mb_arrives_whole_and_is_not_held_in_memory(
    server: Server, held: Held, sample_repository: Path
) -> None:
    size = 100 * 1024 * 1024
    block = hashlib.sha256(b"block").digest() * 32768
    whole = hashlib.sha256()
    for _ in range(size // len(block)):
        whole.update(block)
    (test,) = held.claim["tests"]
    output_id = test["outputs"][0]["output_id"]
    report = {
        "runtime_ms": 1, "exit_code": 0, "outcome": "exited",
        "outputs": [{"output_id": output_id, "sha256": whole.hexdigest()}],
    }  # fmt: skip
    part = "--b\r\nContent-Disposition: form-data; name={}; filename=f\r\nContent-Type: {}\r\n\r\n"
    before = (
        part.format("result", "application/json") + json.dumps(report) + "\r\n"
        + part.format(f"output-{output_id}", "application/octet-stream")
    ).encode()  # fmt: skip
    after = b"\r\n--b--\r\n"
    assert server.get(HEALTH).status == 200
    grown = server.memory_peak_from_now()
    with talking_to(server, 120) as connection:
        connection.sendall(
            head(
                "PUT",
                f"{held.url}/results/{test['regression_id']}",
                **held.headers,
                Content_Type="multipart/form-data; boundary=b",
                Content_Length=str(len(before) + size + len(after)),
                Expect="100-continue",
            )
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(before)
        for _ in range(size // len(block)):
            connection.sendall(block)
        connection.sendall(after)
        status = status_of(connection)

    (stored,) = (sample_repository / "TestResults").glob(f"{whole.hexdigest()}*")
    assert status == 200
    assert stored.stat().st_size == size
    assert grown() < 40 * 1024 * 1024


def test_who_has_no_credential_is_refused_before_uploading(server: Server, held: Held) -> None:
    told = exchange(
        server,
        head("PUT", f"{held.url}/results/1", Content_Length="90000000", Expect="100-continue"),
    )

    assert told == 401


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("size", [100, 300_000])
def test_an_upload_that_breaks_off_changes_nothing(
    server: Server, held: Held, framing: str, size: int
) -> None:
    line = b"2026-01-01T00:00:00.000Z info build | x\n"
    data = line * (size // len(line))
    length = {"Content_Length": str(len(data) * 2)}
    how = length if framing == "length" else {"Transfer_Encoding": "chunked"}
    with talking_to(server) as connection:
        connection.sendall(head("PATCH", f"{held.url}/log", **of(held, Upload_Offset="0"), **how))
        connection.sendall(data if framing == "length" else chunked(data, whole=False))
    until(lambda: established(server) == 0)

    assert held.append(0, line).json["offset"] == len(line)
    assert "Traceback" not in server.told()


@pytest.mark.slow
def test_clients_that_send_nothing_or_slowly_do_not_keep_others_waiting(
    serve: Callable[..., Server], held: Held
) -> None:
    server = serve(client_timeout=3)
    sent = [
        b"",
        b"GET /api/v1/ru",
        head("POST", f"{API}/auth/tokens", Content_Length="100", Content_Type="application/json"),
        head("PATCH", f"{held.url}/log", **of(held, Upload_Offset="0", Content_Length="900000")),
    ]
    with ExitStack() as stack:
        slow = [stack.enter_context(talking_to(server)) for _ in range(120)]
        for number, connection in enumerate(slow):
            connection.sendall(sent[number % 4])
        until(lambda: established(server) >= 120)
        while_they_wait = [server.get(HEALTH).status for _ in range(5)]
        told = [status_of(connection) for connection in slow]

    assert while_they_wait == [200] * 5
    assert set(told[0::4] + told[1::4]) == {0}
    assert set(told[2::4] + told[3::4]) == {408}


def established(server: Server) -> int:
    """How many connections of clients the process that answers has."""
    found = server.worker().net_connections("tcp")
    return sum(one.laddr.port == server.port and one.status != psutil.CONN_LISTEN for one in found)


def is_listening(process: psutil.Process) -> bool:
    found = process.net_connections("tcp")
    return any(one.status == psutil.CONN_LISTEN for one in found)


def answered(connections: list[HTTPConnection]) -> list[HTTPConnection]:
    """Those to which an answer has begun to come."""
    by_socket = {connection.sock: connection for connection in connections}
    return [by_socket[one] for one in select.select(by_socket, [], [], 0)[0]]


@pytest.mark.slow
def test_requests_that_wait_leave_threads_for_others(serve: Callable[..., Server]) -> None:
    server = serve(max_waiters=4)
    headers = {**factories.signed_in("admin", "runs:execute"), "Content-Type": "application/json"}
    body = json.dumps({"platform": "linux", "runner_name": "r", "wait": 30}).encode()
    asked = [server.connect() for _ in range(80)]
    for connection in asked:
        connection.request("POST", f"{API}/attempts", body=body, headers=headers)
    until(lambda: len(answered(asked)) == 76)
    health = server.get(HEALTH).status
    early = answered(asked)
    refused = [connection.getresponse() for connection in early]
    for _ in range(4):
        factories.run()
    served = [one.getresponse().status for one in asked if one not in early]

    assert health == 200
    assert {(one.status, one.getheader("Retry-After")) for one in refused} == {(503, "5")}
    assert served == [201] * 4


def test_more_clients_than_the_database_has_connections_for_are_all_answered(
    server: Server,
) -> None:
    """What an answer gives back once it is sent must not wait behind who waits for it."""
    reader = factories.signed_in("user", "runs:read")
    factories.run()
    answers: list[int] = []

    def ask() -> None:
        with closing(server.connect()) as connection:
            for _ in range(3):
                connection.request("GET", "/api/v1/runs", headers=reader)
                response = connection.getresponse()
                response.read()
                answers.append(response.status)

    threads = [threading.Thread(target=ask) for _ in range(120)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert answers == [200] * 360


@pytest.mark.slow
def test_beyond_the_limit_of_connections_requests_are_refused(serve: Callable[..., Server]) -> None:
    server = serve(max_streams=1, gunicorn_cmd_args="--worker-connections 20")
    with ExitStack() as stack:
        idle = [stack.enter_context(talking_to(server)) for _ in range(30)]
        until(lambda: server.get(HEALTH).status == 503)
        refused = server.get(HEALTH)
        for connection in idle[:20]:
            connection.close()
        until(lambda: server.get(HEALTH).status == 200)

    assert (refused.status, refused.headers["retry-after"]) == (503, "10")
    assert json.loads(refused.body)["code"] == "unavailable"


def test_requests_in_flight_are_finished_before_the_server_ends(
    server: Server, someone: dict[str, str], held: Held
) -> None:
    line = b"2026-01-01T00:00:00.000Z info build | " + b"x" * 90 + b"\n"
    with talking_to(server) as connection:
        connection.sendall(
            head(
                "PATCH",
                f"{held.url}/log",
                **of(held, Upload_Offset="0", Content_Length=str(len(line) * 5000)),
                Expect="100-continue",
            )
        )
        assert status_of(connection) == 100  # the request is being worked on
        connection.sendall(line * 2500)
        worker = server.worker()
        worker.terminate()
        until(lambda: not is_listening(worker))
        connection.sendall(line * 2500)
        status = status_of(connection)

    assert status == 200
    assert held.append(0, line * 5000).json["offset"] == 5000 * len(line)
