"""A small real HTTP server that speaks `docs/runner-protocol.md`, and misbehaves on demand.

Only the runner's side of the protocol is tested with it; the platform's own server has its
own tests.
"""

import hashlib
import io
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from werkzeug.formparser import FormDataParser
from werkzeug.http import parse_options_header

from tests.patience import PATIENCE_SECONDS

TOKEN = "spci_" + "r" * 43


@dataclass
class Trouble:
    """What happens to the next requests that match: `times` of them."""

    pattern: str
    times: int
    act: Callable[["Handler"], bool]


@dataclass
class Held:
    """What the server knows of one attempt."""

    attempt_id: int
    credential: str
    claim: dict[str, Any]
    log: bytearray = field(default_factory=bytearray)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[tuple[int, int], bytes] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    finishes: list[dict[str, Any]] = field(default_factory=list)
    beats: list[dict[str, Any]] = field(default_factory=list)
    canceled: bool = False
    lost: bool = False
    ended: bool = False

    @property
    def lines(self) -> list[str]:
        """The log's lines."""
        return self.log.decode().splitlines()


class StandIn:
    """The server's state; tests change it directly."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.queue: list[dict[str, Any]] = []
        self.attempts: dict[int, Held] = {}
        self.token = TOKEN
        self.lease_s = 3.0
        self.log_interval_ms = 50
        self.log_limit = 1 << 30
        self.samples: dict[int, bytes] = {}
        self.lost_baselines: set[int] = set()
        self.troubles: list[Trouble] = []
        self.requests: list[tuple[str, str, int]] = []
        self.headers: list[tuple[str, dict[str, str]]] = []
        self.server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen; on the same port as before when it did before."""
        state = self

        class Bound(Handler):
            standin = state

        self.server = Server(("127.0.0.1", self.port), Bound)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no more: connections are refused."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()

    def restart(self) -> None:
        """Be away until somebody has tried to connect, then listen again."""
        self.close()
        with socket.create_server(("127.0.0.1", self.port)) as away:
            away.settimeout(PATIENCE_SECONDS)
            away.accept()[0].close()
        self.open()

    def trouble(self, pattern: str, times: int, act: Callable[["Handler"], bool]) -> None:
        """Let `act` see the next requests whose `METHOD path` matches; True: it answered."""
        with self.lock:
            self.troubles.append(Trouble(pattern, times, act))

    def fail(self, pattern: str, times: int, status: int, **headers: str) -> None:
        """Answer the next matching requests with a status."""

        def act(handler: "Handler") -> bool:
            handler.answer(status, {"code": "failure", "message": "", "details": {}}, **headers)
            return True

        self.trouble(pattern, times, act)

    def drop(self, pattern: str, times: int, *, after: bool = False) -> None:
        """Close the connection instead of answering, before or after doing what was asked."""

        def act(handler: "Handler") -> bool:
            if after:
                handler.mute = True
                return False
            handler.hang_up()
            return True

        self.trouble(pattern, times, act)

    def only(self) -> Held:
        """The one attempt there is."""
        (held,) = self.attempts.values()
        return held

    def count(self, pattern: str) -> int:
        """Return how many requests matched."""
        with self.lock:
            return sum(bool(re.search(pattern, f"{m} {p}")) for m, p, _ in self.requests)

    def claim(self) -> tuple[int, dict[str, Any]]:
        """Hand out the next run."""
        with self.lock:
            if not self.queue:
                return 204, {}
            offer = self.queue.pop(0)
            attempt_id = len(self.attempts) + 1
            held = Held(attempt_id, f"spca_{attempt_id:043d}", offer)
            held.log += offer.pop("earlier_log", b"")
            self.attempts[attempt_id] = held
            deadline_s = offer.pop("deadline_s", 3600)
            now = datetime.now(UTC)
            for sample in offer["samples"]:
                sample["url"] = sample["url"] or (
                    f"{self.url}/api/v1/attempts/{attempt_id}/samples/{sample['sample_id']}"
                )
            return 201, offer | {
                "attempt_id": attempt_id,
                "attempt": 1,
                "credential": held.credential,
                "lease": self.lease(),
                "deadline_at": stamp(now + timedelta(seconds=deadline_s)),
                "log_offset": len(held.log),
                "log_interval_ms": self.log_interval_ms,
            }

    def lease(self) -> dict[str, Any]:
        """The lease as every answer carries it."""
        until = datetime.now(UTC) + timedelta(seconds=self.lease_s)
        return {"seconds": self.lease_s, "expires_at": stamp(until)}


def stamp(moment: datetime) -> str:
    """A time of the protocol."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Server(ThreadingHTTPServer):
    """Without noise about connections that tests break."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a broken connection is what many tests are about."""


class Handler(BaseHTTPRequestHandler):
    """Answers the protocol's requests."""

    protocol_version = "HTTP/1.1"
    standin: StandIn
    mute = False

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.handle_request()

    def do_POST(self) -> None:
        self.handle_request()

    def do_PUT(self) -> None:
        self.handle_request()

    def do_PATCH(self) -> None:
        self.handle_request()

    def handle_request(self) -> None:
        """One request: trouble first, then what the protocol says."""
        self.mute = False
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = f"{self.command} {self.path}"
        state = self.standin
        with state.lock:
            state.headers.append((what, dict(self.headers.items())))
            found = next((t for t in state.troubles if re.search(t.pattern, what)), None)
            if found:
                found.times -= 1
                if found.times <= 0:
                    state.troubles.remove(found)
        if found and found.act(self):
            return
        with state.lock:
            self.route()

    def route(self) -> None:
        """What the protocol says."""
        state = self.standin
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if self.path == "/api/v1/attempts":
            if bearer != state.token:
                self.error(401, "unauthorized")
                return
            status, body = state.claim()
            self.answer(status, body)
            return
        found = re.fullmatch(r"/api/v1/attempts/(\d+)/(\w+)(?:/(\w+))?", self.path)
        held = state.attempts.get(int(found[1])) if found else None
        if found is None or held is None or bearer != held.credential:
            self.error(401, "unauthorized")
        elif held.lost:
            self.error(409, "lease_lost")
        elif found[2] == "samples":
            self.sample(int(found[3]))
        elif (held.canceled or held.ended) and found[2] in ("results", "finish"):
            self.error(409, "run_ended")
        elif found[2] == "artifacts":
            held.artifacts[found[3]] = self.body
            self.fine(held)
        else:
            getattr(self, f"take_{found[2]}")(held, int(found[3] or 0))

    def take_heartbeat(self, held: Held, _: int) -> None:
        """POST .../heartbeat"""
        held.beats.append(json.loads(self.body))
        self.fine(held)

    def take_log(self, held: Held, _: int) -> None:
        """PATCH .../log"""
        offset = int(self.headers["Upload-Offset"])
        assert self.body.endswith(b"\n")
        if held.ended:
            self.error(409, "run_ended")
            return
        if len(held.log) >= self.standin.log_limit:
            self.fine(held, offset=len(held.log), log_full=True)
            return
        if bytes(held.log[offset : offset + len(self.body)]) != self.body:
            if offset != len(held.log):
                self.error(416, "offset_mismatch", offset=len(held.log))
                return
            held.log += self.body
        self.fine(held, offset=len(held.log))

    def take_results(self, held: Held, regression_id: int) -> None:
        """PUT .../results/ID"""
        held.puts += 1
        mimetype, options = parse_options_header(self.headers["Content-Type"])
        files: Any = {}
        if mimetype == "application/json":
            result = json.loads(self.body)
        else:
            _, form, files = FormDataParser().parse(
                io.BytesIO(self.body), mimetype, len(self.body), options
            )
            result = json.loads(form["result"])
            assert files  # without any, a report is its JSON alone
        (test,) = [t for t in held.claim["tests"] if t["regression_id"] == regression_id]
        expected = {o["output_id"]: o["expected_hash"] for o in test["outputs"]}
        sent = {int(name[7:]): f.read() for name, f in files.items()}
        wanted = []
        for output in result["outputs"]:
            output_id = output["output_id"]
            if output_id in sent:
                assert hashlib.sha256(sent[output_id]).hexdigest() == output["sha256"]
            elif (
                output["sha256"] != expected[output_id] or output_id in self.standin.lost_baselines
            ):
                wanted.append(output_id)
        if wanted:
            self.error(422, "upload_required", output_ids=wanted)
            return
        held.results[regression_id] = result
        for output_id, data in sent.items():
            held.files[regression_id, output_id] = data
        self.fine(held)

    def take_finish(self, held: Held, _: int) -> None:
        """POST .../finish"""
        held.finishes.append(json.loads(self.body))
        held.ended = True
        self.fine(held)

    def sample(self, sample_id: int) -> None:
        """GET .../samples/ID, ranges included"""
        data = self.standin.samples.get(sample_id)
        if data is None:
            self.error(404, "not_found")
            return
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range") or "") or "00")[1])
        if start >= len(data) and start:
            self.error(416, "range")
            return
        headers = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self.raw(206 if start else 200, data[start:], **headers)

    def fine(self, held: Held, **more: Any) -> None:
        """A 200 of an attempt."""
        state = self.standin
        self.answer(
            200,
            {
                "canceled": held.canceled,
                "lease": state.lease(),
                "log_interval_ms": state.log_interval_ms,
                **more,
            },
        )

    def error(self, status: int, code: str, **details: Any) -> None:
        """An error in the API's shape."""
        self.answer(status, {"code": code, "message": code, "details": details})

    def answer(self, status: int, body: dict[str, Any], **headers: str) -> None:
        """A JSON answer."""
        data = b"" if status == 204 else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.raw(status, data, **headers)

    def raw(self, status: int, data: bytes, **headers: str) -> None:
        """Any answer, unless the connection is to break."""
        with self.standin.lock:
            self.standin.requests.append((self.command, self.path, status))
        if self.mute:
            self.hang_up()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.connection.close()


@contextmanager
def listening() -> Iterator[StandIn]:
    """A stand-in that listens."""
    standin = StandIn()
    standin.open()
    try:
        yield standin
    finally:
        standin.close()


def offer(
    tests: list[dict[str, Any]],
    samples: dict[int, bytes],
    *,
    run: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A run for the queue."""
    return {
        "run": {
            "run_id": 5,
            "platform": "linux",
            "test_type": "commit",
            "repository": "CCExtractor/ccextractor",
            "clone_url": "https://example.org/CCExtractor/ccextractor.git",
            "main_clone_url": "https://example.org/CCExtractor/ccextractor.git",
            "branch": "master",
            "commit_sha": "a" * 40,
            "pull_request": None,
            **(run or {}),
        },
        "tests": tests,
        "samples": [
            {
                "sample_id": sample_id,
                "sha256": hashlib.sha256(data).hexdigest(),
                "extension": "ts",
                "name": f"sample {sample_id}.ts",
                "size_bytes": len(data),
                "url": "",
            }
            for sample_id, data in samples.items()
        ],
        **more,
    }


def regression(
    regression_id: int, command: str, *, expected: bytes | None = b"", **more: Any
) -> dict[str, Any]:
    """A regression test on sample 1 whose one output is `output.txt`."""
    digest = None if expected is None else hashlib.sha256(expected).hexdigest()
    output = {
        "output_id": regression_id * 10,
        "filename": f"test{regression_id}.txt",
        "extension": ".txt",
        "expected_hash": digest,
        "accepted_hashes": [digest] if digest else [],
        "ignore": False,
    }
    return {
        "regression_id": regression_id,
        "sample_id": 1,
        "command": command,
        "input_type": "file",
        "output_type": "file",
        "expected_exit_code": 0,
        "outputs": [output],
        **more,
    }


def write_program(path: Path, text: str) -> Path:
    """An executable file."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path
