"""Which port the site takes. Runs with any Python, before the set-up: `python3 demo/ports.py`."""

import os
import socket
import sys

FIRST = 8000
TRIED = 50


class PortTaken(Exception):
    """The server could not listen there; the message says why and what to do."""


def check(host: str, port: int) -> None:
    """Raises PortTaken when the server could not listen on this port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise PortTaken(
                f"port {port} of {host} cannot be had: {error.strerror or error}. "
                f"Try another one: PORT={port + 1 if port < 65535 else FIRST} scripts/serve"
            ) from None


def first_free(host: str) -> int:
    """The first free port from 8000 on; 8000 itself where none can be had."""
    for port in range(FIRST, FIRST + TRIED):
        try:
            check(host, port)
        except PortTaken:
            continue
        return port
    return FIRST


def main() -> int:
    """Refuse a PORT that is taken before the set-up takes its time; the rest is checked later."""
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT", "")
    if port.isascii() and port.isdigit() and 0 < int(port) < 65536:
        try:
            check(host, int(port))
        except PortTaken as problem:
            sys.stderr.write(f"scripts/serve: {problem}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
