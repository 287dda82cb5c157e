"""Requests to one platform: sent again where that is safe, limits obeyed, streams resumed."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

from ccextractor_ci import failures

PREFIX = "/api/v1"
AGENT = "ccextractor-ci/1.0"
# A server says something on each stream and each waiting request at least this often.
SILENCE_S = 60.0
# How long somebody waits for a server that is away or wants us to wait.
PATIENCE_S = 90.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
PASSING = frozenset({502, 503, 504})


class _NoToken(urllib.request.HTTPRedirectHandler):
    """Follows a download to where it is kept, and shows the token to no other host."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if req.get_method() != "GET":
            raise failures.Refused(f"The server moved to {newurl}: use that address.", status=code)
        further = super().redirect_request(req, fp, code, msg, headers, newurl)
        if further is not None and urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            further.remove_header("Authorization")
        return further


def site_of(url: str) -> str:
    """The platform's address from what a person typed, with or without a scheme and `/api/v1`.

    Raises ValueError when it is no address.
    """
    url = url.strip()
    if "://" not in url:
        host = url.partition("/")[0].partition(":")[0]
        url = f"{'http' if host in ('localhost', '127.0.0.1') else 'https'}://{url}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError(f"{url} is no address of a platform")
    path = parts.path.rstrip("/").removesuffix(PREFIX).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


class Transport:
    """Sends the requests of one account to one platform.

    `notice` is told, in a sentence, why something takes longer. `patience_s` bounds what is waited,
    in seconds, for a server that is away or asks for a pause.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        notice: Callable[[str], None] | None = None,
        patience_s: float = PATIENCE_S,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.site = site_of(url)
        self._token = token
        self._notice = notice or (lambda sentence: None)
        self._patience_s = patience_s
        self._pause = pause
        self._opener = urllib.request.build_opener(_NoToken)
        self._has_answered = False

    def json(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: object = None,
        *,
        key: str | None = None,
    ) -> Any:
        """Ask for JSON at `path` below `/api/v1`; the answer, or None where it has no body.

        `key` is an Idempotency-Key: with it a request may be sent again when its answer was lost.
        Raises a Failure.
        """
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        with self.open(method, path, query, data, headers, key=key) as answer:
            text = _read(answer)
        return json.loads(text) if text else None

    def text(
        self, path: str, query: dict[str, Any] | None = None, accept: str = "text/plain"
    ) -> str:
        """A GET's answer as text. Raises a Failure."""
        with self.open("GET", path, query, None, {"Accept": accept}) as answer:
            return _read(answer).decode("utf-8", "replace")

    def open(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        data: bytes | None,
        headers: dict[str, str],
        *,
        key: str | None = None,
    ) -> HTTPResponse:
        """Send a request; its answer, not yet read. Raises a Failure.

        A request that cannot have been carried out, or may be carried out twice, is sent again
        until the patience ends.
        """
        if key is not None:
            headers = {**headers, "Idempotency-Key": key}
        again = method in ("GET", "PUT", "DELETE") or key is not None
        until = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            try:
                return self._send(method, path, query, data, headers)
            except failures.Failure as failure:
                wait = self._wait_after(failure, pause, again=again)
                if wait is None or time.monotonic() + wait > until:
                    raise
                if wait >= 1:
                    self._notice(f"{failure} Trying again in {wait:.0f} s.")
            self._pause(wait)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _wait_after(self, failure: failures.Failure, pause: float, *, again: bool) -> float | None:
        """How many seconds to wait before the request is sent again; None when it is not."""
        told = failure.details.get("retry_after_s")
        if isinstance(failure, failures.RateLimited):
            return float(told or 1)
        if not again:
            return None
        if isinstance(failure, failures.Unreachable):
            # A wrong address is told at once; a server that was there comes back.
            return pause if self._has_answered else None
        return float(told or pause) if failure.status in PASSING else None

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        data: bytes | None,
        headers: dict[str, str],
        silence_s: float = SILENCE_S,
    ) -> HTTPResponse:
        url = path if "://" in path else self.site + PREFIX + path
        asked = {name: _told(value) for name, value in (query or {}).items() if value is not None}
        if asked:
            url += ("&" if "?" in url else "?") + urlencode(asked)
        request = urllib.request.Request(url, data=data, method=method)  # noqa: S310  http or https
        for name, value in {"User-Agent": AGENT, **headers}.items():
            request.add_header(name, value)
        if self._token and url.startswith(self.site + "/"):
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=silence_s)
        except urllib.error.HTTPError as refusal:
            self._has_answered = True
            with refusal:
                raise _failure(refusal) from None
        except (OSError, HTTPException) as problem:
            reason = getattr(problem, "reason", None) or problem or type(problem).__name__
            raise failures.Unreachable(
                f"{self.site} cannot be reached: {reason}.", code="unreachable"
            ) from None
        self._has_answered = True
        return answer

    def events(
        self, path: str, query: dict[str, Any] | None = None, *, until: float | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The events of a stream, each as its name and its data, to its `end`, or to the time
        `until` of the monotonic clock.

        When the connection breaks, it goes on behind the last whole event: none is lost, none comes
        twice. Raises a Failure when the server stays away longer than the patience, or refuses.
        """
        last: str | None = None
        given_up_at: float | None = None
        pause = FIRST_PAUSE_S
        while until is None or time.monotonic() < until:
            try:
                for id, name, data in self._stretch(path, query, last, until):
                    given_up_at, pause = None, FIRST_PAUSE_S
                    last = id if id is not None else last
                    if name == "end":
                        return
                    if data is not None:
                        yield name, data
            except failures.Failure as failure:
                wait = self._wait_for_stream(failure, pause)
                now = time.monotonic()
                given_up_at = given_up_at or now + self._patience_s
                if wait is None or now + wait > given_up_at:
                    raise
                if pause > FIRST_PAUSE_S:
                    self._notice(f"{failure} Trying again.")
                self._pause(wait)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    def _stretch(
        self, path: str, query: dict[str, Any] | None, last: str | None, until: float | None
    ) -> Iterator[tuple[str | None, str, dict[str, Any] | None]]:
        """The events of one connection, behind the one with the id `last`.

        Raises Unreachable when it ends before the stream does and before `until`.
        """
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = last
        silence_s = SILENCE_S
        if until is not None:
            silence_s = min(SILENCE_S, max(0.1, until - time.monotonic()))
        broken: Exception | str = "it was closed"
        try:
            with self._send("GET", path, query, None, headers, silence_s) as answer:
                if answer.status == 204:
                    yield None, "end", None
                    return
                yield from parsed(answer, until)
        except (OSError, HTTPException) as problem:
            broken = problem
        if until is None or time.monotonic() < until:
            sentence = f"The stream from {self.site} broke off: {broken}."
            raise failures.Unreachable(sentence, code="unreachable")

    def _wait_for_stream(self, failure: failures.Failure, pause: float) -> float | None:
        """How many seconds to wait before a stream is taken up again; None when it is not."""
        if not self._has_answered:
            return None
        may_pass = isinstance(failure, failures.Unreachable | failures.RateLimited)
        if not may_pass and failure.status not in PASSING:
            return None
        return float(failure.details.get("retry_after_s") or pause)


def parsed(
    answer: IO[bytes], until: float | None = None
) -> Iterator[tuple[str | None, str, dict[str, Any] | None]]:
    """Id, name and data of each whole event of a stream (WHATWG, server-sent events).

    Ends with the stream, or at the time `until`. An event that is cut in the middle is not told.
    The data of ours is always one JSON object.
    """
    id: str | None = None
    name, data = "message", bytearray()
    while line := answer.readline():
        if not line.endswith(b"\n") or (until is not None and time.monotonic() > until):
            return
        line = line.rstrip(b"\r\n")
        if not line:
            yield id, name, json.loads(data) if data else None
            id, name, data = None, "message", bytearray()
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"id":
            id = value.decode()
        elif field == b"event":
            name = value.decode()
        elif field == b"data":
            data += (b"\n" if data else b"") + value


def _told(value: object) -> str:
    """A parameter's value as the API reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _read(answer: HTTPResponse) -> bytes:
    """The whole body. Raises Unreachable when it is cut."""
    try:
        return answer.read()
    except (OSError, HTTPException) as problem:
        raise failures.Unreachable(
            f"The answer broke off: {problem}.", code="unreachable"
        ) from None


def _failure(refusal: urllib.error.HTTPError) -> failures.Failure:
    """The failure that a refusing answer tells."""
    try:
        body = json.loads(refusal.read())
    except (ValueError, OSError, HTTPException):
        body = None
    failure = failures.of_answer(refusal.code, body)
    told = refusal.headers.get("Retry-After", "")
    if told.isdigit():
        failure.details.setdefault("retry_after_s", int(told))
    return failure
