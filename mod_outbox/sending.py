"""Sending a message to a stranger's address: one POST, bounded in time and bytes.

Only permitted addresses are connected to, redirects are not followed, and proxies that the
environment names are not asked. An answer's body is read within a bound, and kept nowhere.
"""

import functools
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from mod_outbox.addresses import Network, is_permitted
from mod_outbox.models import TryOutcome

SECONDS = 10.0
MOST_BYTES = 64 * 1024
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """What came of a try; `message` says it in a few words."""

    outcome: TryOutcome
    status: int | None = None
    message: str | None = None


class _NotPermitted(Exception):
    """The host has no address that may be connected to."""


class _TooLate(Exception):
    """The time was over."""


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allowed: Sequence[Network] = ()
) -> Answer:
    """Send a message. Whatever goes wrong is told in the answer."""
    deadline = time.monotonic() + SECONDS
    parts = urlsplit(url)
    is_over = threading.Event()
    try:
        with _connected(parts, allowed, deadline, is_over) as connection:
            status = _ask(connection, parts, body, headers, is_over)
    except _NotPermitted as refusal:
        return Answer(TryOutcome.address_refused, message=str(refusal))
    except (OSError, http.client.HTTPException, UnicodeError, _TooLate) as error:
        if is_over.is_set() or isinstance(error, TimeoutError | _TooLate):
            return Answer(TryOutcome.timeout, message=f"No answer within {SECONDS:g} seconds.")
        return Answer(TryOutcome.unreachable, message=_sentence(error))
    if 200 <= status < 300:
        return Answer(TryOutcome.delivered, status)
    if 300 <= status < 400:
        return Answer(TryOutcome.redirect, status, "Redirects are not followed.")
    return Answer(TryOutcome.bad_status, status)


def _ask(
    connection: http.client.HTTPConnection,
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
    is_over: threading.Event,
) -> int:
    """Send the request and return the status of its answer."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    connection.request("POST", target, body, {"Host": host, "Connection": "close", **headers})
    response = connection.getresponse()
    if is_over.is_set():  # a head that is cut off reads as a whole one
        raise _TooLate
    # Taken, so that a receiver is not cut off while it writes; its status says all there is.
    with suppress(OSError, http.client.HTTPException):
        response.read(MOST_BYTES)
    return response.status


@contextmanager
def _connected(
    parts: SplitResult, allowed: Sequence[Network], deadline: float, is_over: threading.Event
) -> Iterator[http.client.HTTPConnection]:
    """A connection to a permitted address of the host, cut off at the deadline."""
    host = parts.hostname or ""
    port = parts.port or PORTS[parts.scheme]
    plain = _connect(host, port, allowed, deadline)
    # Its own time limit holds between two bytes; an answer that trickles could take for ever.
    connection = http.client.HTTPConnection(host, port)
    with plain.dup() as other:

        def cut() -> None:
            is_over.set()
            with suppress(OSError):  # the receiver has closed it
                other.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(_left(deadline), cut)
        timer.daemon = True
        timer.start()
        try:
            connection.sock = plain
            if parts.scheme == "https":
                connection.sock = _tls().wrap_socket(plain, server_hostname=host)
            yield connection
        finally:
            timer.cancel()
            connection.close()
            plain.close()
            timer.join()


def _connect(host: str, port: int, allowed: Sequence[Network], deadline: float) -> socket.socket:
    """Connect to the first permitted address of the host that answers."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    permitted = [one for one in found if is_permitted(str(one[4][0]), allowed)]
    if not permitted:
        raise _NotPermitted(f"{host} has no address that webhooks are delivered to.")
    failure: OSError | None = None
    for family, kind, protocol, _, address in permitted:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(address)
            connection.settimeout(SECONDS)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure or OSError("no address")


def _left(deadline: float) -> float:
    """Return the seconds that are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise _TooLate
    return left


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _sentence(error: Exception) -> str:
    """An error in a few words, without the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate is not good: {error.verify_message}."
    if isinstance(error, socket.gaierror):
        return "The name of the host is not known."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return f"No HTTP answer ({type(error).__name__})."
