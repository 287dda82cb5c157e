"""Streams as clients that others wrote see them, with the connection cut at every event."""

import contextlib
import json
import re
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import pytest
import requests
import sseclient

from tests import factories
from tests.mod_api.streaming.following import follow
from tests.runners import Held, Runner, accepted
from tests.web_server import Server

CLIENT_SECONDS = 60
MOST_CONNECTIONS = 100
EVENTSOURCE = "eventsource@4.1.1"
BLOCK = re.compile(rb".*?\n\n", re.DOTALL)
AT = "2026-01-01T00:00:00.000Z"
# Name, data and id of each event, in their order.
Seen = list[tuple[str, Any, str]]


class Cutting(socketserver.ThreadingTCPServer):
    """A proxy that lets one event of an answer through and cuts the connection.

    `inside`: the cut is in the middle of the event after it. Clients are told to come back at once
    rather than after two seconds.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, server: Server, *, inside: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.port = server.port
        self.inside = inside
        self.asked: list[str | None] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.BaseRequestHandler):
    """One connection, which is good for one request."""

    def handle(self) -> None:
        proxy = self.server
        assert isinstance(proxy, Cutting)
        head = b""
        while b"\r\n\r\n" not in head:
            part = self.request.recv(65536)
            if not part:
                return
            head += part
        found = re.search(rb"\r\nlast-event-id: ([^\r]*)\r\n", head, re.IGNORECASE)
        proxy.asked.append(found[1].decode() if found else None)
        head = re.sub(rb"(?i)\r\nconnection: [^\r]*", b"", head)
        head = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as upstream:
            upstream.sendall(head)
            self._answer(proxy, upstream)

    def _answer(self, proxy: Cutting, upstream: socket.socket) -> None:
        whole, sent = b"", 0
        while part := upstream.recv(65536):
            whole += part.replace(b"retry: 2000", b"retry: 0001")
            if not sent:
                proxy.statuses.append(int(whole.split(b" ", 2)[1]))
            end = self._cut(whole, inside=proxy.inside)
            self.request.sendall(whole[sent:end])
            sent = len(whole)
            if end is not None:
                return

    @staticmethod
    def _cut(whole: bytes, *, inside: bool) -> int | None:
        """Where to cut what has come so far, once that is known."""
        first = BLOCK.match(whole)
        if not first:
            return None
        if not inside:
            # urllib3 drops the last byte of a chunk whose own line end is missing.
            ends = 2 * (whole[first.end() :].startswith(b"\r\n"))
            return first.end() + ends if len(whole) >= first.end() + 2 else None
        second = whole.find(b"data: ", first.end())
        return second + 9 if 0 <= second < len(whole) - 9 else None


@pytest.fixture(params=[False, True], ids=["after an event", "inside the next"])
def cutting(request: pytest.FixtureRequest, server: Server) -> Iterator[Cutting]:
    with Cutting(server, inside=request.param) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join(10)


@pytest.fixture(scope="session")
def eventsource(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm package."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--prefix", str(folder), "--prefer-offline", "--no-audit",
               "--no-fund", "--ignore-scripts", "--fetch-retries", "1", EVENTSOURCE]  # fmt: skip
    certificates = ssl.get_default_verify_paths().cafile
    if certificates:
        command += ["--cafile", certificates]  # the system's, not those that node was built with
    installed = subprocess.run(command, capture_output=True, timeout=CLIENT_SECONDS)
    if installed.returncode:
        pytest.skip(f"npm cannot install {EVENTSOURCE}")
    return folder


EVENTSOURCE_SCRIPT = """
import { EventSource } from "eventsource";
const [url, authorization, ...names] = process.argv.slice(2);
const fetchAs = (input, init) =>
  fetch(input, { ...init, headers: { ...init.headers, Authorization: authorization } });
const source = new EventSource(url, { fetch: fetchAs });
const told = (event) =>
  console.log(JSON.stringify([event.type, JSON.parse(event.data), event.lastEventId]));
for (const name of ["message", ...names]) source.addEventListener(name, told);
source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) process.exit(0);
});
"""


def by_eventsource(folder: Path, url: str, headers: dict[str, str]) -> Seen:
    """What the package shows until it closes for good; it comes back by itself."""
    script = folder / "follow.mjs"
    script.write_text(EVENTSOURCE_SCRIPT)
    names = ["line", "position", "progress", "result", "counts", "end"]
    command = ["node", str(script), url, headers["Authorization"], *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_SECONDS)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def by_httpx_sse(url: str, headers: dict[str, str]) -> Iterator[tuple[str, Any, str]]:
    with (
        httpx.Client(timeout=CLIENT_SECONDS) as client,
        httpx_sse.connect_sse(client, "GET", url, headers=headers) as source,
    ):
        if source.response.status_code == 204:
            return
        source.response.raise_for_status()
        for event in source.iter_sse():
            yield event.event, json.loads(event.data), event.id


def by_sseclient(url: str, headers: dict[str, str]) -> Iterator[tuple[str, Any, str]]:
    with requests.get(url, headers=headers, stream=True, timeout=CLIENT_SECONDS) as response:
        if response.status_code == 204:
            return
        response.raise_for_status()
        # By single bytes: of a longer piece that is cut, requests shows nothing.
        for event in sseclient.SSEClient(response.iter_content(1)).events():
            yield event.event, json.loads(event.data), event.id


def coming_back(
    read: Callable[[str, dict[str, str]], Iterator[tuple[str, Any, str]]],
    url: str,
    headers: dict[str, str],
) -> Seen:
    """What a client that does not come back by itself shows, in the hands of a program that does
    so until no event comes."""
    seen: Seen = []
    cuts = (
        httpx.TransportError,
        requests.ConnectionError,
        requests.exceptions.ChunkedEncodingError,
    )
    for _ in range(MOST_CONNECTIONS):
        before = len(seen)
        since = {"Last-Event-ID": seen[-1][2]} if seen else {}
        with contextlib.suppress(*cuts):
            for event in read(url, headers | since):
                seen.append(event)  # what came before the cut is kept
        if len(seen) == before:
            return seen
    raise AssertionError("The stream never ended.")


@pytest.fixture
def ended(runners: Runner) -> Held:
    """A run that has ended, with results and a log."""
    factories.run(tests=[factories.regression_test() for _ in range(3)])
    held = runners.claim()
    levels = ["info", "error", "info", "error", "info"]
    log = "".join(f"{AT} {level} build | line {n} é\n" for n, level in enumerate(levels))
    assert held.append(0, log.encode()).status_code == 200
    accepted(held.heartbeat(stage="test"))
    for regression_id in held.tests:
        assert held.report(regression_id).status_code == 200
    assert held.finish().status_code == 200
    return held


STREAMS = ["logs/stream", "logs/stream?level=error", "logs/stream?from_beginning=false", "events"]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("client", ["eventsource", "httpx-sse", "sseclient-py"])
def test_a_client_that_is_cut_off_at_every_event_sees_each_once_and_stops_after_the_end(
    request: pytest.FixtureRequest,
    server: Server,
    cutting: Cutting,
    someone: dict[str, str],
    ended: Held,
    client: str,
    stream: str,
) -> None:
    path = f"/api/v1/runs/{ended.run_id}/{stream}"
    uncut = [(event.name, event.data, event.id) for event in follow(server, path, someone).rest()]
    url = cutting.url + path

    if client == "eventsource":
        seen = by_eventsource(request.getfixturevalue("eventsource"), url, someone)
    else:
        read = by_httpx_sse if client == "httpx-sse" else by_sseclient
        seen = coming_back(read, url, someone)

    ids = [event_id for _, _, event_id in uncut]
    assert seen == uncut
    assert len(set(ids)) == len(ids)
    assert ids[-1] == "end"
    assert cutting.asked == [None, *ids]
    assert cutting.statuses == [200] * len(ids) + [204]


@pytest.mark.parametrize("stream", ["logs/stream", "events"])
def test_every_id_of_a_run_that_goes_on_is_one_to_go_on_from(
    server: Server, someone: dict[str, str], runners: Runner, stream: str
) -> None:
    factories.run(tests=[factories.regression_test() for _ in range(2)])
    held = runners.claim()
    assert held.append(0, f"{AT} info build | a\n{AT} info build | b\n".encode()).status_code == 200
    accepted(held.report(held.tests[0]))
    path = f"/api/v1/runs/{held.run_id}/{stream}"
    count = 2 if stream == "logs/stream" else 4
    before = follow(server, path, someone).take(count)
    followings = [follow(server, path, someone, last_id=event.id) for event in before]
    statuses = [following.status for following in followings]
    assert held.finish().status_code == 200

    whole = follow(server, path, someone).rest()
    first = [event for event in before if event.name != "counts"]
    rest = [[e for e in f.rest() if e.name != "counts"] for f in followings]
    expected = [event for event in whole if event.name != "counts"]

    assert statuses == [200] * count
    assert [event.id for event in expected[: len(first)]] == [event.id for event in first]
    for event, after in zip(before, rest, strict=True):
        if event.name == "counts":
            continue
        place = [each.id for each in expected].index(event.id) + 1
        assert [(e.name, e.data) for e in after] == [(e.name, e.data) for e in expected[place:]]


@pytest.mark.parametrize("stream", ["logs/stream", "events"])
def test_after_the_end_there_is_nothing_for_those_who_may_read_it(
    server: Server, someone: dict[str, str], ended: Held, stream: str
) -> None:
    seen = {"Last-Event-ID": "end"}
    path = f"/api/v1/runs/{ended.run_id}/{stream}"
    unknown = f"/api/v1/runs/2147483647/{stream}"

    over = server.get(path, someone | seen)
    assert (over.status, over.body) == (204, b"")
    assert server.ask("HEAD", path, headers=someone | seen).status == 204
    assert server.get(path, seen).status == 401
    assert server.get(unknown, someone | seen).status == 404
    assert server.ask("HEAD", unknown, headers=someone).status == 404
