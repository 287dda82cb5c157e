"""Connections of a server that ends, in the moment that no client can choose."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from uvicorn.config import Config
from uvicorn.server import Server

from server import bridge, protocol, refusals
from tests.patience import PATIENCE_SECONDS, until


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Stands for the server's telling its connections that it ends."""
    told = threading.Event()
    monkeypatch.setattr(protocol, "shutting_down", told)
    return told


@pytest.fixture
def port_of_one_that_ends(told: threading.Event) -> Iterator[int]:
    """The port of a server that has told its connections already that it ends, and still accepts.

    It answers every request with 404.
    """
    told.set()
    with running() as (_, port):
        yield port


@contextmanager
def running() -> Iterator[tuple[Server, int]]:
    """A server that answers every request with 404, and its port."""
    not_found = (404, b"{}", [(b"content-length", b"2")])

    async def app(scope: object, receive: object, send: bridge.Send) -> None:
        await refusals.send(not_found, send)

    config = Config(
        app,
        http=protocol.limited(10, 60.0),
        lifespan="off",
        log_config=None,
        timeout_keep_alive=60,
    )
    server = Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield server, listening.getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_connection_accepted_as_the_server_ends_is_answered_once(
    port_of_one_that_ends: int,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of_one_that_ends, timeout=30)
    with closing(connection):
        connection.request("GET", "/")
        response = connection.getresponse()

        assert response.status == 404
        assert response.headers["Connection"] == "close"
        assert response.read() == b"{}"


def test_a_connection_accepted_as_the_server_ends_is_not_waited_for_in_vain(
    port_of_one_that_ends: int,
) -> None:
    with socket.create_connection(("127.0.0.1", port_of_one_that_ends), timeout=30) as silent:
        try:
            told = silent.recv(1)
        except ConnectionResetError:
            told = b""

    assert told == b""


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["nothing", "a part"])
def test_a_request_that_is_on_its_way_as_the_server_ends_is_answered(
    told: threading.Event, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    monkeypatch.setattr(protocol, "LAST_HEAD_SECONDS", PATIENCE_SECONDS)
    with running() as (server, port), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(sent)
        until(lambda: len(server.server_state.connections) == 1)
        told.set()
        server.should_exit = True
        until(lambda: not is_listening(port))
        connection.sendall(whole[len(sent) :])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"connection: close" in answer.lower()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
