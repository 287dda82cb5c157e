"""A small GitHub on loopback: the code exchange, the user, and ways to go wrong."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

CLIENT_ID = "stand-in-client"
CLIENT_SECRET = "stand-in-secret"


@dataclass
class StandIn:
    """What GitHub knows; `mood` is how it answers: well, error, garbage, redirect, trickle."""

    url: str
    users: dict[str, Any] = field(default_factory=dict)  # by token
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)  # to redirect address, token
    mood: str = "well"
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def exchange(self, form: dict[str, str]) -> dict[str, str]:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return {"error": "incorrect_client_credentials"}
        redirect_uri, token = self.codes.pop(form.get("code", ""), ("", ""))
        if not token or redirect_uri != form.get("redirect_uri"):
            return {"error": "bad_verification_code", "error_description": "expired"}
        return {"access_token": token, "token_type": "bearer", "scope": ""}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: StandIn


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if not self.is_answered_by_mood():
            is_known = self.path == "/login/oauth/access_token"
            self.answer(200 if is_known else 404, is_known and self.server.stand_in.exchange(form))

    def do_GET(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.is_answered_by_mood():
            user = self.server.stand_in.users.get(token) if self.path == "/user" else None
            self.answer(200 if user else 401, user or {"message": "Bad credentials"})

    def is_answered_by_mood(self) -> bool:
        stand_in = self.server.stand_in
        stand_in.asked.append(f"{self.command} {self.path}")
        if stand_in.mood == "error":
            self.answer(503, {"message": "unicorn"})
        elif stand_in.mood == "garbage":
            self.send(200, b"<html>\xff")
        elif stand_in.mood == "redirect":
            self.send(302, b"", Location=f"{stand_in.url}/elsewhere")
        elif stand_in.mood == "trickle":
            self.trickle()
        return stand_in.mood != "well"

    def trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.stand_in.over.wait(0.1):
                self.wfile.write(b" ")

    def answer(self, status: int, told: object) -> None:
        self.send(status, json.dumps(told).encode())

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Keep the tests' output to the tests."""


@contextlib.contextmanager
def github() -> Iterator[StandIn]:
    """The stand-in, listening until the end of the block."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.stand_in = StandIn(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.stand_in
        finally:
            server.stand_in.over.set()
            server.shutdown()
            thread.join()
