"""What the tests of the API ask with."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import factories


@pytest.fixture
def get(app: Flask, client: FlaskClient) -> Callable[..., Any]:
    """GET of a path with a query, as somebody who may read runs: the JSON of the answer, once its
    status is the expected one."""
    headers = factories.signed_in("user", "runs:read")

    def get(path: str, expected: int = 200, /, **query: Any) -> Any:
        response = client.get(f"/api/v1{path}", query_string=query, headers=headers)
        assert response.status_code == expected, response.text
        return response.json

    return get


class HungDatabase:
    """A server that takes connections and never says a word."""

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()
        self.url = f"mysql+pymysql://me:hidden@{host}:{port}/site"
        self.taken: list[socket.socket] = []
        self._listener = listener
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self.taken.append(self._listener.accept()[0])
            except OSError:  # closed: the test is over
                return

    def break_off(self) -> None:
        """Close what was taken until now."""
        for connection in self.taken:
            connection.close()


@pytest.fixture
def hung_database() -> Iterator[HungDatabase]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hung = HungDatabase(listener)
        yield hung
        listener.shutdown(socket.SHUT_RDWR)
        hung.break_off()
