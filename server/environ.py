"""A request as WSGI has it (PEP 3333), made of an ASGI scope."""

import sys
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import unquote_to_bytes

UNPREFIXED = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def environ_of(scope: Mapping[str, Any], body: IO[bytes]) -> dict[str, Any]:
    """The environ of a request whose body is read from `body`, which ends where the body does."""
    host, port = scope.get("server") or ("localhost", 80)
    address, client_port = scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # From the raw path: a path that is not UTF-8 reaches the application as it was sent.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,  # so a body in chunks is read, too
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in _headers(scope["headers"]):
        joint = "; " if name == "HTTP_COOKIE" else ","
        environ[name] = environ[name] + joint + value if name in environ else value
    if "HTTP_TRANSFER_ENCODING" in environ:
        environ.pop("CONTENT_LENGTH", None)
    return environ


def _headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Headers as variables. One with `_` in its name could pass for another one: it is dropped."""
    found = []
    for raw, value in headers:
        name = raw.decode("latin-1")
        if "_" not in name:
            variable = UNPREFIXED.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
            found.append((variable, value.decode("latin-1")))
    return found
