"""Metrics and logs of a real server with two processes."""

import contextlib
import json
import re
import signal

import psutil
import pytest

from tests.patience import until
from tests.servers import free_port
from tests.web_server import Server

pytestmark = pytest.mark.slow

HEALTH = "/api/v1/system/health"
# Nobody asks for this but the test; the start of a server asks for its health.
ASKED = "/api/v1/openapi.json"
COUNTED = re.compile(rb"^ci_http_requests_total\{.*openapi\.json.*\} ([0-9.]+)$", re.MULTILINE)


def metrics_of(server: Server, port: int) -> bytes:
    public, server.port = server.port, port
    try:
        reply = server.get("/metrics")
    finally:
        server.port = public
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return reply.body


def counted(server: Server, port: int) -> float:
    """How many of the test's own requests were counted; each is when it has been answered."""
    found = COUNTED.search(metrics_of(server, port))
    return float(found[1]) if found else 0


def workers(server: Server) -> list[psutil.Process]:
    assert server._process is not None
    return psutil.Process(server._process.pid).children()


def test_metrics_of_all_processes_are_on_their_own_address_only(serve, sqlite_app) -> None:
    port = free_port()
    server = serve(metrics_address=f"127.0.0.1:{port}", web_concurrency=2)
    assert counted(server, port) == 0

    for _ in range(30):
        server.get(ASKED)

    until(lambda: counted(server, port) == 30)
    elsewhere = {"Host": f"127.0.0.1:{port}", "X-Forwarded-Port": str(port)}
    assert server.get("/metrics").status == 404
    assert server.get("/metrics", elsewhere).status == 404
    server.port, public = port, server.port
    assert server.get(HEALTH).status == 404
    server.port = public
    server.stop()


def test_what_a_killed_process_has_counted_stays_and_its_streams_do_not(serve, sqlite_app) -> None:
    port = free_port()
    server = serve(metrics_address=f"127.0.0.1:{port}", web_concurrency=2, max_streams=100)
    for _ in range(10):
        server.get(ASKED)
    until(lambda: counted(server, port) == 10)
    old = {one.pid for one in workers(server)}

    workers(server)[0].send_signal(signal.SIGKILL)
    until(lambda: len(found := workers(server)) == 2 and {one.pid for one in found} != old)
    until(lambda: b"\nci_streams_limit 200.0" in metrics_of(server, port))

    assert counted(server, port) == 10
    server.stop()


def test_without_the_setting_no_metrics_are_served(server) -> None:
    assert server.get("/metrics").status == 404


def test_every_line_of_the_log_is_json_whoever_wrote_it(serve, sqlite_app) -> None:
    server = serve()
    server.get(HEALTH, {"X-Request-Id": "asked-by-a-test"})
    with contextlib.closing(server.connect()) as connection:
        connection.connect()
        connection.sock.sendall(b"this is no HTTP\r\n\r\n")
        connection.sock.recv(1000)
    server.stop()

    lines = [json.loads(line) for line in server.told().splitlines()]

    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    assert {line.get("logger") for line in lines} >= {"gunicorn.error", "uvicorn.error"}
    (request,) = [line for line in lines if line.get("request_id") == "asked-by-a-test"]
    assert request["event"] == "request"
    assert (request["method"], request["route"], request["status"]) == ("GET", HEALTH, 200)
    assert {"account", "ms", "sql"} <= set(request)
