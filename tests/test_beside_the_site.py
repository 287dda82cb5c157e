"""deploy/nginx-beside-site.conf in a real nginx, before the API and a stand-in for the site."""

import gzip
import hashlib
import http.client
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask

from config import ROOT
from tests import factories, servers
from tests.mod_api.streaming.following import follow
from tests.patience import PATIENCE_SECONDS, tries
from tests.raw import Raw
from tests.runners import Held, accepted, runner
from tests.web_server import Reply, Server

EXAMPLE = ROOT / "deploy" / "nginx-beside-site.conf"
HOST = "ci.example.org"
MAIN = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""
AT = "2026-01-01T00:00:00.000Z"

pytestmark = pytest.mark.nginx


class Site(BaseHTTPRequestHandler):
    """The existing site: it says what it was asked."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer()

    def _answer(self) -> None:
        told = f"the site: {self.command} {self.path} of {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@dataclass
class Front:
    """nginx, as somebody on the Internet sees it."""

    port: int

    def connect(self, timeout: float = 30, source: str = "127.0.0.1") -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout, source_address=(source, 0)
        )

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, source: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> Reply:  # fmt: skip
        connection = self.connect(source=source)
        connection.request(method, path, body, {"Host": HOST, **(headers or {})})
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply


@pytest.fixture
def put_before(tmp_path: Path) -> Iterator[Callable[[Server], Front]]:
    """`put_before(server)`: nginx with the example, before that server and the site."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    started: list[subprocess.Popen[bytes]] = []

    def start(server: Server) -> Front:
        port = servers.free_port()
        text = EXAMPLE.read_text("utf-8")
        for ours, theirs in (
            ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
            ("127.0.0.1:5000", f"127.0.0.1:{site.server_port}"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ):
            assert text.count(ours) == 1
            text = text.replace(ours, theirs)
        text = re.sub(r"^\s*ssl_\w+ .*;$", "", text, flags=re.MULTILINE)
        (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path, site=text))
        command = [servers.program("nginx") or "", "-p", tmp_path, "-e", tmp_path / "error.log"]
        started.append(subprocess.Popen([*command, "-c", tmp_path / "nginx.conf"]))
        front = Front(port)
        for _ in tries():
            try:
                front.ask("GET", "/")
            except OSError:
                assert started[-1].poll() is None, (tmp_path / "error.log").read_text()
            else:
                break
        return front

    yield start
    for process in started:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
    site.shutdown()
    site.server_close()


@pytest.fixture
def front(put_before: Callable[[Server], Front], serve: Callable[..., Server]) -> Front:
    """The example before a server that is set as docs/deploy.md says."""
    return put_before(serve(trusted_proxies=1, public_url=f"https://{HOST}"))


def test_the_api_and_the_site_share_a_host(sqlite_app: Flask, front: Front) -> None:
    headers = factories.signed_in("user", "runs:read", "results:read")
    run = factories.run()

    api = front.ask("GET", f"/api/v1/runs/{run.id}", headers=headers)
    pages = [front.ask("GET", path) for path in ("/", "/test/7", "/static/x.css", "/api/other")]

    assert api.status == 200
    assert f'"https://{HOST}/api/v1/runs/{run.id}"'.encode() in api.body
    assert [page.body.decode() for page in pages] == [
        f"the site: GET {path} of {HOST}"
        for path in ("/", "/test/7", "/static/x.css", "/api/other")
    ]


def test_an_existing_worker_is_answered_by_us(sqlite_app: Flask, front: Front, raw: Raw) -> None:
    run = factories.run()
    ((token,),) = raw.execute("SELECT token FROM test WHERE id = ?", [run.id])
    post = urlencode({"type": "progress", "status": "preparation", "message": "begun"}).encode()

    told = front.ask(
        "POST", f"/progress-reporter/{run.id}/{token}", post,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip

    assert (told.status, told.body) == (200, b"OK")
    assert raw.execute("SELECT status FROM test_progress WHERE test_id = ?", [run.id]) == [
        ("preparation",)
    ]


def test_a_stream_arrives_as_it_is_written_and_is_not_compressed(
    sqlite_app: Flask, front: Front
) -> None:
    headers = factories.signed_in("user", "runs:read", "system:read") | {
        "Host": HOST,
        "Accept-Encoding": "gzip",
    }
    factories.run(tests=[factories.regression_test()])
    held = runner(sqlite_app.test_client()).claim()
    append(held, 0, "one")

    following = follow(front, f"/api/v1/runs/{held.run_id}/logs/stream", headers)  # type: ignore[arg-type]
    first = following.lines(1)
    append(held, len(line("one")), "two")  # the first is read before this one is written
    second = following.lines(1)
    accepted(held.finish())
    (*_, end) = following.rest()
    page = front.ask("GET", "/api/v1/runs?limit=100", headers=headers)

    assert (first, second, end.name) == (["one"], ["two"], "end")
    assert following.response.getheader("Content-Encoding") is None
    assert page.status == 200
    assert page.headers.get("content-encoding") in (None, "gzip")
    big = front.ask("GET", "/api/v1/openapi.yaml", headers=headers)
    assert big.headers["content-encoding"] == "gzip"
    assert b"openapi: 3" in gzip.decompress(big.body)


def append(held: Held, offset: int, text: str) -> None:
    assert held.append(offset, line(text)).status_code == 200


def line(text: str) -> bytes:
    return f"{AT} info build | {text}\n".encode()


def test_clients_are_told_apart_by_the_address_that_nginx_saw(
    sqlite_app: Flask, put_before: Callable[[Server], Front], serve: Callable[..., Server]
) -> None:
    front = put_before(serve(trusted_proxies=1, rate_limit_read="2/minute"))

    def ask(source: str, claimed: str | None = None) -> int:
        headers = {"X-Forwarded-For": claimed} if claimed else {}
        return front.ask("GET", "/api/v1/openapi.yaml", source=source, headers=headers).status

    first = [ask("127.0.0.2"), ask("127.0.0.2"), ask("127.0.0.2")]
    forged = [ask("127.0.0.2", "10.1.2.3"), ask("127.0.0.2", "10.1.2.4, 10.1.2.5")]
    other = ask("127.0.0.3")

    assert first == [200, 200, 429]
    assert forged == [429, 429]
    assert other == 200


def test_files_that_are_larger_than_nginx_takes_by_itself_pass(
    sqlite_app: Flask, front: Front, raw: Raw
) -> None:
    test = factories.regression_test()
    factories.run(tests=[test])
    held = runner(sqlite_app.test_client()).claim()
    content = b"x" * 3_000_000
    output_id = test.outputs[0].id
    result = {
        "runtime_ms": 5, "exit_code": 0, "outcome": "exited",
        "outputs": [{"output_id": output_id, "sha256": hashlib.sha256(content).hexdigest()}],
    }  # fmt: skip
    address = f"http://127.0.0.1:{front.port}"
    parts = {
        "result": ("result", json.dumps(result), "application/json"),
        f"output-{output_id}": ("output", content),
    }

    told = requests.put(
        f"{address}{held.url}/results/{test.id}",
        files=parts, headers={**held.headers, "Host": HOST}, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    accepted(held.finish())
    run = factories.run()
    ((token,),) = raw.execute("SELECT token FROM test WHERE id = ?", [run.id])
    log = requests.post(
        f"{address}/progress-reporter/{run.id}/{token}",
        data={"type": "logupload"}, files={"file": ("log.txt", content)},
        headers={"Host": HOST}, timeout=PATIENCE_SECONDS,
    )  # fmt: skip

    assert told.status_code == 200, told.text
    assert (log.status_code, log.text) == (200, "OK")
