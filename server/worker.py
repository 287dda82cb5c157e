"""The gunicorn worker that serves the platform: uvicorn around the bridge."""

import asyncio
import contextlib
import gc
import resource
import socket
import sys
from collections.abc import MutableMapping
from typing import Any

from gunicorn.arbiter import Arbiter  # type: ignore[import-untyped]
from uvicorn.server import Server
from uvicorn_worker import UvicornWorker

import metrics
from config import Settings
from mod_api.streaming.hub import end_streams
from mod_api.streaming.shutdown_event import shutting_down
from server import two_ports
from server.bridge import Bridge
from server.protocol import limited

# Beside what is followed and answered, a process opens files, logs and databases.
OTHER_FILES = 1000
# Claims that wait are counted and capped; some more are refused or answered at once.
CLAIMS_AT_WORK = 8
# Python's own 5 ms, times the threads at work, is how late the event loop would be.
SWITCH_SECONDS = 0.001
# So many more objects than were freed.
COLLECTED_AFTER = 50_000


class PlatformServer(Server):
    """A server that does not wait for its streams and waiting claims when it is to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        closing = asyncio.ensure_future(super().shutdown(sockets))
        shutting_down.set()
        await end_streams()
        await closing


class PlatformWorker(UvicornWorker):  # type: ignore[misc]  # uvicorn-worker ships no types
    """Serves a WSGI application (`run:create_app()`) with threads, its streams without."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "uvloop",
        "ws": "none",
        "lifespan": "off",
        "proxy_headers": False,  # TRUSTED_PROXIES decides, in the application
        "server_header": False,
        "access_log": False,
    }

    wsgi: Any

    def load_wsgi(self) -> None:
        super().load_wsgi()
        settings: Settings = self.wsgi.extensions["settings"]
        allow_files(self.cfg.worker_connections + OTHER_FILES)
        self.config.http = limited(self.cfg.worker_connections, settings.client_timeout)
        self.config.timeout_graceful_shutdown = max(1, self.cfg.graceful_timeout - 1)
        served = self.wsgi
        self.wsgi = Bridge(
            served,
            threads=self.cfg.threads,
            waiting_threads=settings.max_waiters + CLAIMS_AT_WORK,
            may_wait=may_wait,
            patience=settings.client_timeout,
        )
        if settings.metrics_port is not None:
            page = served.extensions["metrics_page"]
            self.wsgi = two_ports.beside(self.wsgi, page, settings.metrics_port)
        _collect_seldom()
        metrics.open_files()
        metrics.streams_limit.set(settings.max_streams)
        metrics.waiting_limit.set(settings.max_waiters)
        sys.setswitchinterval(SWITCH_SECONDS)

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = PlatformServer(self.config)
        self._install_sigquit_handler()
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


def may_wait(scope: MutableMapping[str, Any]) -> bool:
    """Return whether a request may wait for something to happen: a runner's claim."""
    path: str = scope["path"]
    return scope["method"] == "POST" and path.rstrip("/").endswith("/attempts")


def _collect_seldom() -> None:
    """Let the collector of cycles leave alone what is there for good, and look when much has come.

    A page of a hundred rows is thousands of objects, none of them in a cycle; at Python's own pace
    the collector took a quarter of each request.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, 10, 10)


def allow_files(wanted: int) -> None:
    """Let this process open so many files, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
