"""Connections of a server that ends, in the moment that no client can choose."""

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from uvicorn.config import Config
from uvicorn.server import Server

from server import bridge, protocol, refusals


@pytest.fixture
def port_of_one_that_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that has told its connections already that it ends, and still accepts.

    It answers every request with 404.
    """
    told = threading.Event()
    told.set()
    monkeypatch.setattr(protocol, "shutting_down", told)
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
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(30)
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
