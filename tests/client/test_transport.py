"""Requests that fail on the way: sent again only where that is safe, and never without an end."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ccextractor_ci import NotAllowed, RateLimited, Unreachable
from ccextractor_ci.transport import Transport, parsed, site_of

Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A server that gives the answers it is told to, in turn, and notes the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer | None] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                site.asked.append((self.command, self.path, headers))
                answer = site.answers.pop(0)
                if answer is None:
                    self.connection.close()
                    return
                status, more, body = answer
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer  # noqa: N815  what http.server calls

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def platform() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever)
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def transport(platform: Site, pauses: list[float]) -> Transport:
    return Transport(platform.url, "secret", pause=pauses.append)


GOOD: Answer = (200, {"Content-Type": "application/json"}, b'{"data": 1}')
AWAY: Answer = (503, {"Retry-After": "3"}, b"{}")
TOO_MANY: Answer = (429, {"Retry-After": "7"}, b'{"code": "rate_limited", "message": "Too many."}')


def test_a_read_is_asked_again_until_the_server_is_back(
    platform: Site, transport: Transport, pauses: list[float]
) -> None:
    platform.answers = [GOOD, AWAY, None, GOOD]

    assert [transport.json("GET", "/runs") for _ in range(2)] == [{"data": 1}] * 2
    assert pauses[0] == 3


def test_a_write_whose_answer_was_lost_is_not_sent_again(
    platform: Site, transport: Transport
) -> None:
    platform.answers = [GOOD, None]
    transport.json("GET", "/runs")

    with pytest.raises(Unreachable):
        transport.json("POST", "/runs/1/retry", body={})
    assert len(platform.asked) == 2


def test_a_write_with_a_key_is_sent_again_with_the_same_key(
    platform: Site, transport: Transport
) -> None:
    platform.answers = [GOOD, None, GOOD]
    transport.json("GET", "/runs")

    transport.json("POST", "/runs", body={}, key="one")

    assert [headers["idempotency-key"] for _, _, headers in platform.asked[1:]] == ["one", "one"]


def test_retry_after_is_obeyed_for_writes_too(
    platform: Site, transport: Transport, pauses: list[float]
) -> None:
    platform.answers = [TOO_MANY, GOOD]

    transport.json("POST", "/runs/1/cancel", body={})

    assert pauses == [7]


def test_nobody_waits_longer_than_their_patience(platform: Site) -> None:
    platform.answers = [TOO_MANY]

    with pytest.raises(RateLimited, match="Too many"):
        Transport(platform.url, patience_s=5).json("GET", "/runs")


def test_a_wrong_address_is_told_at_once(pauses: list[float]) -> None:
    with pytest.raises(Unreachable):
        Transport("http://127.0.0.1:9", pause=pauses.append).json("GET", "/runs")
    assert pauses == []


def test_the_token_goes_to_no_other_host(platform: Site) -> None:
    other = Site()
    thread = threading.Thread(target=other.server.serve_forever)
    thread.start()
    try:
        other.answers = [GOOD]
        platform.answers = [(302, {"Location": f"{other.url}/file"}, b"")]

        Transport(platform.url, "secret").json("GET", "/runs")

        assert "authorization" in platform.asked[0][2]
        assert "authorization" not in other.asked[0][2]
    finally:
        other.server.shutdown()
        other.server.server_close()
        thread.join()


def event(number: int) -> bytes:
    return f'id: {number}\nevent: line\ndata: {{"number": {number}}}\n\n'.encode()


END = b'id: end\nevent: end\ndata: {"status": "pass"}\n\n'
STREAM = {"Content-Type": "text/event-stream"}


@pytest.mark.parametrize("cut", range(0, len(event(1) + event(2) + END), 7))
def test_a_stream_cut_anywhere_goes_on_without_loss(
    platform: Site, transport: Transport, cut: int
) -> None:
    whole = b"retry: 2000\n" + event(1) + event(2) + END
    sent = whole[:cut]
    last = max((number for number in (1, 2) if event(number) in sent), default=0)
    rest = b"".join(event(number) for number in (1, 2) if number > last) + END
    platform.answers = [(200, STREAM, sent)]
    if END not in sent:
        platform.answers.append((200, STREAM, rest))

    seen = [data["number"] for name, data in transport.events("/runs/1/logs/stream")]

    assert seen == [1, 2]
    if last and END not in sent:
        assert platform.asked[1][2]["last-event-id"] == str(last)


def test_a_stream_that_is_over_is_not_asked_for_again(platform: Site, transport: Transport) -> None:
    platform.answers = [(200, STREAM, event(1)), (204, {}, b"")]

    assert len(list(transport.events("/runs/1/events"))) == 1


def test_a_refused_stream_is_a_failure(platform: Site, transport: Transport) -> None:
    platform.answers = [(403, {}, json.dumps({"code": "forbidden", "message": "No."}).encode())]

    with pytest.raises(NotAllowed, match="No"):
        list(transport.events("/runs/1/events"))


def test_comments_and_empty_blocks_are_no_events() -> None:
    stream = io.BytesIO(b": keep-alive\n\nretry: 5\n\n" + event(1))

    assert [last for last, _, data in parsed(stream) if data is not None] == ["1"]


@pytest.mark.parametrize(
    ("typed", "site"),
    [
        ("https://ci.example.org", "https://ci.example.org"),
        ("https://ci.example.org/api/v1/", "https://ci.example.org"),
        ("ci.example.org/platform", "https://ci.example.org/platform"),
        ("localhost:8000", "http://localhost:8000"),
    ],
)
def test_addresses_as_people_type_them(typed: str, site: str) -> None:
    assert site_of(typed) == site


@pytest.mark.parametrize("typed", ["", "ftp://ci.example.org", "https://me:pw@ci.example.org"])
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        site_of(typed)
