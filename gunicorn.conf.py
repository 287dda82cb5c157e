"""How gunicorn serves the platform; any `gunicorn 'run:create_app()'` started here finds it.

A request has a thread while it is worked on, which for claims may be 30 s; streams last for hours
and have none (docs/adr/022). What the command line or GUNICORN_CMD_ARGS says
wins.
"""

import ctypes
import signal
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

import json_log
import metrics_files
from config import Settings, SettingsError

try:
    settings = Settings.from_environment()
except SettingsError as error:
    sys.exit(str(error))

wsgi_app = "run:create_app()"
host = f"[{settings.host}]" if ":" in settings.host else settings.host
bind = [f"{host}:{settings.port}"]

# WEB_CONCURRENCY says how many processes there are, 1 unless it is set.
worker_class = "server.worker.PlatformWorker"
# More at once would only take turns. Claims that wait have threads of their own, MAX_WAITERS.
threads = 16
# Beyond these a process refuses with 503; each stream is one of them.
worker_connections = settings.max_streams + 500

# A worker whose threads all sleep still gives a sign of life; one that does not is replaced.
timeout = 60
# A claim that waits is answered within 30 s.
graceful_timeout = 35
keepalive = 15

# The sign of life is a file; on a disk, writing it may stand still.
worker_tmp_dir = next((path for path in ("/dev/shm",) if Path(path).is_dir()), None)  # noqa: S108
# So are the counters of the metrics. The library that keeps them must find their folder when it is
# loaded, which is later.
if settings.metrics_address:
    bind.append(settings.metrics_address)
    metrics_files.share(worker_tmp_dir)
else:
    metrics_files.count_alone()
# TRUSTED_PROXIES alone decides whom to believe, in the application.
forwarded_allow_ips = ""
# Nobody steers this server but by signals.
control_socket_disable = True
# The application logs each request itself, with its id.
accesslog = None


class JsonLogger(Logger):
    """gunicorn's own messages, and uvicorn's, in JSON like all others."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(json_log.formatter())


logger_class = JsonLogger


json_log.install()


def post_fork(server: Any, worker: Any) -> None:
    """End a process whose master was killed: nobody else would ever stop or replace it."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGTERM)


def on_starting(server: Any) -> None:
    """Refuse to start processes that would each count requests for themselves."""
    if server.cfg.workers > 1 and settings.has_limits and not settings.redis_url:
        sys.exit(
            f"{server.cfg.workers} processes and rate limits need a store that they share: set "
            "REDIS_URL, or WEB_CONCURRENCY to 1, or every RATE_LIMIT_... to off."
        )


def child_exit(server: Any, worker: Any) -> None:
    """Keep what a process has counted when it has ended."""
    metrics_files.bury(worker.pid)


def on_exit(server: Any) -> None:
    """Leave nothing behind."""
    metrics_files.remove()
