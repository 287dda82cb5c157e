"""One HTTP request to the server, and what its answer means."""

import random
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from mod_ci.runner.text import redact

CONNECT_TIMEOUT_S = 10.0
# A server that asks for more than this is asked again sooner: it may have meant another.
LONGEST_RETRY_AFTER_S = 300.0

# Not a refusal of what was asked, so asking again makes sense; and so does any 5xx.
TRANSIENT = frozenset({408, 425, 429})

sessions = threading.local()


class NoAnswer(Exception):
    """The server could not be reached, or cannot answer now. Ask again later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(redact(message))
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The server answered with an error that asking again does not change."""

    def __init__(self, what: str, status: int, error: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(error.get("code", ""))
        details = error.get("details")
        self.details: Mapping[str, Any] = details if isinstance(details, dict) else {}
        said = f" {self.code}: {error.get('message', '')}" if self.code else ""
        super().__init__(redact(f"{what} was refused: {status}{said}"))


class Bearer(requests.auth.AuthBase):
    """Sends one credential, or none; also keeps requests from looking into a netrc file."""

    def __init__(self, credential: str | None) -> None:
        self.credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.credential is not None:
            request.headers["Authorization"] = f"Bearer {self.credential}"
        return request


def session() -> requests.Session:
    """This thread's connections: a session is not safe to share."""
    if not hasattr(sessions, "own"):
        sessions.own = requests.Session()
        sessions.own.headers["User-Agent"] = "ccextractor-ci-runner/1"
    own: requests.Session = sessions.own
    return own


def send(
    method: str,
    url: str,
    credential: str,
    *,
    json: object = None,
    data: object = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
) -> dict[str, Any]:
    """Send one request; returns the object in its 2xx answer, empty when there is no content.

    Raises NoAnswer when it makes sense to ask again, Refused when it does not.
    """
    what = f"{method} {urlsplit(url).path}"
    try:
        response = session().request(
            method,
            url,
            auth=Bearer(credential),
            json=json,
            data=data,  # type: ignore[arg-type]  # a file-like body; the stubs want a protocol
            headers=headers,
            timeout=(CONNECT_TIMEOUT_S, timeout_s),
            # A redirect could turn a POST into a GET, or carry the credential elsewhere.
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise NoAnswer(f"{what}: {error}") from error
    status = response.status_code
    if status in TRANSIENT or status >= 500:
        raise NoAnswer(f"{what}: {status}", retry_after(response.headers.get("Retry-After")))
    body = object_in(response)
    if not 200 <= status < 300:
        raise Refused(what, status, body or {})
    if body is None:
        raise NoAnswer(f"{what}: {status} without the object that belongs there")
    return body


def object_in(response: requests.Response) -> dict[str, Any] | None:
    """The JSON object of an answer; empty for no content, None for anything else."""
    if response.status_code == 204:
        return {}
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a `Retry-After` of seconds or of a date; None without a valid one."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        seconds = float(value)
    else:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


def pauses(first_s: float = 0.5, longest_s: float = 30.0) -> Iterator[float]:
    """Return how long to wait before each next try: growing, and never the same for two runners."""
    bound = first_s
    while True:
        yield random.uniform(bound / 4, bound)  # noqa: S311  # jitter, not a secret
        bound = min(bound * 2, longest_s)


def pause_after(error: NoAnswer, pause_s: float) -> float:
    """The pause to make: at least what the server asked for."""
    if error.retry_after_s is None:
        return pause_s
    return max(pause_s, error.retry_after_s + random.uniform(0, 1))  # noqa: S311  # jitter
