"""A small receiver of webhooks on loopback, and ways to go wrong."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

STATUSES = {"well": 204, "error": 500, "gone": 410, "missing": 404}


@dataclass(frozen=True)
class Message:
    """A message as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """The body, once the library of Standard Webhooks has found its signature good."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """A receiver; `mood` is how it answers: one of STATUSES, redirect, huge, cut, mute (hangs),
    trickle."""

    url: str
    mood: str = "well"
    messages: list[Message] = field(default_factory=list)
    # Set by the end of the test; `holds`: answers wait for it.
    over: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    holds: bool = False
    most_at_once: int = 0
    here: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no failure of the test's."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with receiver.lock:
            receiver.here += 1
            receiver.most_at_once = max(receiver.most_at_once, receiver.here)
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.messages.append(Message(headers, body))
        try:
            if receiver.holds:
                receiver.let_go.wait()
            self.answer(receiver)
        finally:
            with receiver.lock:
                receiver.here -= 1

    def do_GET(self) -> None:
        self.server.receiver.messages.append(Message({"webhook-id": "followed"}, b""))
        self.send_response(204)
        self.end_headers()

    def answer(self, receiver: Receiver) -> None:
        match receiver.mood:
            case "redirect":
                self.send_response(302)
                self.send_header("Location", f"{receiver.url}/elsewhere")
                self.end_headers()
            case "huge":
                self.send_response(200)
                self.end_headers()
                with contextlib.suppress(OSError):
                    while not receiver.over.is_set():
                        self.wfile.write(b"x" * 65536)
            case "cut":
                self.wfile.write(b"HTTP/1.1 20")
                self.connection.shutdown(socket.SHUT_RDWR)
            case "mute":
                receiver.over.wait()
            case "trickle":
                with contextlib.suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                    while not receiver.over.wait(0.02):
                        self.wfile.write(b"x")
            case mood:
                self.send_response(STATUSES[mood])
                self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output to the tests."""


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """The receiver, listening until the end of the block."""
    with Server(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if tls is not None:
            scheme = "https"
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}/hook")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.receiver
        finally:
            server.receiver.over.set()
            server.receiver.let_go.set()
            server.shutdown()
            thread.join()
