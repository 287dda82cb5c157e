"""What a thousand followers cost: how late lines are, what other requests feel, and memory.

Starts the server as it is run (gunicorn with our configuration) on a database and logs of its own.
Runners let `--logs` logs grow by two lines a second each; a process of its own follows them with
`--followers` streams; `GET /runs` is asked for without and with them in the same run. Prints each
figure with the bound that it must keep, and exits with 1 when one is broken.
"""

import argparse
import asyncio
import contextlib
import http.client
import multiprocessing
import os
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.options import at_least
from config import Settings
from database import db, migrating
from run import create_app
from tests import factories
from tests.runners import Held, runner
from tests.web_server import DEFAULTS, Server

LINE_SECONDS = 0.5
LATEST_SECONDS, P95_RATIO, FOLLOWER_KB = 2.0, 2.0, 60.0
LINE = re.compile(rb'"message":"written at ([0-9.]+)"')
RUNS = "/api/v1/runs"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--followers", type=at_least(1), default=1000)
    parser.add_argument("--logs", type=at_least(1), default=20)
    parser.add_argument("--seconds", type=at_least(1), default=15, help="how long each part takes")
    parser.add_argument(
        "--refused", type=at_least(1), default=2000, help="streams beyond the limit"
    )
    parser.add_argument("--gunicorn", default="", help="options for gunicorn, to compare workers")


def main(asked: argparse.Namespace) -> int:
    """Run all measurements; 0 when every bound is kept."""
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as folder:
        headers, held = prepared(Path(folder), asked.logs)
        server = Server(
            Path(folder) / "server.log",
            **site_of(Path(folder)),
            max_streams=asked.followers,
            gunicorn_cmd_args=asked.gunicorn,
        ).start()
        try:
            with growing(server, held):
                kept = measured(server, asked, headers, [one.run_id for one in held])
        finally:
            server.kill()
    return 0 if all(kept) else 1


def site_of(folder: Path) -> dict[str, Any]:
    """The settings of a site in a folder."""
    return {
        "database_url": f"sqlite:///{folder / 'bench.sqlite'}",
        "sample_repository": str(folder / "repository"),
    }


def prepared(folder: Path, logs: int) -> tuple[dict[str, str], list[Held]]:
    """A site with runs that are being executed: a reader's headers, and what the runners hold."""
    os.environ["FLASK_SKIP_DOTENV"] = "1"
    environ: dict[str, str | None] = {**DEFAULTS, **site_of(folder)}
    app = create_app(Settings.from_environment({name.upper(): environ[name] for name in environ}))
    with app.app_context():
        migrating.upgrade()
        factories.bind(db.engine)
        test = factories.regression_test()
        for _ in range(50):
            done = factories.run(tests=[test], progress=["preparation", "testing", "completed"])
            factories.result(done, test)
        for _ in range(logs):
            factories.run(tests=[test])
    one = runner(app.test_client())
    held = [one.claim() for _ in range(logs)]
    return factories.signed_in("contributor", "system:read", "runs:read"), held


@contextlib.contextmanager
def growing(server: Server, held: list[Held]) -> Iterator[None]:
    """Let the logs grow by a line each half second, appended over HTTP as runners do."""
    over = threading.Event()

    def write() -> None:
        connection = server.connect()
        offsets = [0] * len(held)
        while not over.wait(LINE_SECONDS / len(held)):
            number = min(range(len(held)), key=offsets.__getitem__)
            line = f"2026-01-01T00:00:00.000Z info build | written at {time.monotonic():.6f}\n"
            headers = {
                **held[number].headers,
                "Content-Type": "application/octet-stream",
                "Upload-Offset": str(offsets[number]),
            }
            connection.request("PATCH", f"{held[number].url}/log", line.encode(), headers)
            connection.getresponse().read()
            offsets[number] += len(line)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def measured(
    server: Server, asked: argparse.Namespace, headers: dict[str, str], run_ids: list[int]
) -> list[bool]:
    """All figures, in an order in which each finds the server as it needs it."""
    times(server, headers, 2)
    beyond(server, 100, headers, f"{RUNS}/{run_ids[0]}/logs/stream")  # warm: nothing is first
    without = times(server, headers, asked.seconds)
    memory = server.memory()
    here, there = multiprocessing.Pipe()
    paths = [f"{RUNS}/{run_ids[n % len(run_ids)]}/logs/stream" for n in range(asked.followers)]
    process = multiprocessing.get_context("spawn").Process(
        target=follow_all, args=(there, server.port, paths, headers)
    )
    process.start()
    opened, took = here.recv()
    print(f"    {opened} streams were opened in {took:.1f} s")
    with_them = times(server, headers, asked.seconds)
    grown = (server.memory() - memory) / asked.followers / 1000
    refused = beyond(server, asked.refused, headers, paths[0])
    meanwhile = times(server, headers, 1)
    here.send("stop")
    lines, missed, latencies = here.recv()
    process.join()
    ratio = p95(with_them) / p95(without)
    print(f"    GET /runs, p50 and p95 without: {ms(without)}; with followers: {ms(with_them)}")
    print(f"    requests answered: {len(without)} without, {len(with_them)} with followers")
    print(f"    {lines} lines reached their followers; median {statistics.median(latencies):.3f} s")
    return [
        told("streams that were opened are", opened, "", opened == asked.followers),
        told("a line reaches all followers within", max(latencies), "s",
             max(latencies) <= LATEST_SECONDS),
        told("lines that a follower missed", missed, "", not missed),
        told("GET /runs with followers has a p95 of", ratio, "times that without",
             ratio <= P95_RATIO),
        told("a follower holds", grown, "kB of the server", grown <= FOLLOWER_KB),
        told("streams beyond the limit refused with 503 and Retry-After", refused, "",
             refused == asked.refused),
        told("requests answered meanwhile", len(meanwhile), "", bool(meanwhile)),
    ]  # fmt: skip


def times(server: Server, headers: dict[str, str], seconds: float) -> list[float]:
    """Return how long each `GET /runs` took, one after the other on one connection."""
    connection = server.connect()
    found = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        connection.request("GET", RUNS, headers=headers)
        response = connection.getresponse()
        body = response.read()
        found.append(time.perf_counter() - began)
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(body.decode())
        time.sleep(0.01)
    return found


def p95(found: list[float]) -> float:
    return statistics.quantiles(found, n=20)[-1]


def ms(found: list[float]) -> str:
    return f"{statistics.median(found) * 1000:.1f} and {p95(found) * 1000:.1f} ms"


def beyond(server: Server, count: int, headers: dict[str, str], path: str) -> int:
    """Ask for so many streams more; how many were refused as they should."""

    async def ask_all() -> int:
        gate = asyncio.Semaphore(200)

        async def ask() -> bool:
            async with gate:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(request(path, headers))
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                writer.close()
                return head.startswith(b"http/1.1 503") and b"\r\nretry-after: " in head

        return sum(await asyncio.gather(*(ask() for _ in range(count))))

    return asyncio.run(ask_all())


def request(path: str, headers: dict[str, str]) -> bytes:
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path}?from_beginning=false HTTP/1.1\r\nHost: bench\r\n{told}\r\n".encode()


class Follower(asyncio.Protocol):
    """One stream: when each line that it got was written, and how late it came."""

    def __init__(self, sent: bytes, opened: "asyncio.Future[None]") -> None:
        self.latencies: list[float] = []
        self.is_open = False
        self._sent, self._opened = sent, opened
        self._torn = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self._sent)  # type: ignore[attr-defined]  # it is of a connection

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        data = self._torn + data
        if not self._opened.done():
            self.is_open = data.startswith(b"HTTP/1.1 200")
            self._opened.set_result(None)
        end = 0
        for found in LINE.finditer(data):
            self.latencies.append(now - float(found[1]))
            end = found.end()
        self._torn = data[max(end, len(data) - 64) :]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._opened.done():
            self._opened.set_result(None)


def follow_all(there: Connection, port: int, paths: list[str], headers: dict[str, str]) -> None:
    """In a process of its own: follow, and tell what came once that is asked for."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        gate = asyncio.Semaphore(50)
        began = time.monotonic()

        async def start(path: str) -> Follower:
            async with gate:
                opened = loop.create_future()
                sent = request(path, headers)
                _, follower = await loop.create_connection(
                    lambda: Follower(sent, opened), "127.0.0.1", port
                )
                await opened
                return follower

        followers = await asyncio.gather(*(start(path) for path in paths))
        there.send((sum(one.is_open for one in followers), time.monotonic() - began))
        for one in followers:
            one.latencies.clear()
        await asyncio.to_thread(there.recv)
        counts: dict[str, list[int]] = {}
        for path, one in zip(paths, followers, strict=True):
            counts.setdefault(path, []).append(len(one.latencies))
        # Of one log all have the same lines, but for one that is on its way at this moment.
        missed = sum(max(found) - count > 1 for found in counts.values() for count in found)
        latencies = [late for one in followers for late in one.latencies]
        there.send((len(latencies), missed, latencies))

    asyncio.run(run())


def told(what: str, figure: float, unit: str, kept: bool) -> bool:
    """Print a figure; gives back whether its bound is kept."""
    print(f"{'    ' if kept else 'NO: '}{what} {figure:.2f} {unit}")
    return kept
