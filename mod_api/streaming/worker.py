"""The gunicorn worker that serves the platform: uvicorn around the bridge."""

from typing import Any

from uvicorn_worker import UvicornWorker

from mod_api.streaming.bridge import Bridge

THREADS = 64


class PlatformWorker(UvicornWorker):  # type: ignore[misc]  # uvicorn-worker ships no types
    """Serves a WSGI application (`run:create_app()`) with threads, its streams without."""

    CONFIG_KWARGS: dict[str, Any] = {
        "loop": "auto",
        "http": "auto",
        "lifespan": "off",
        "proxy_headers": False,  # TRUSTED_PROXIES decides, in the application
        "server_header": False,
        "access_log": False,
    }

    wsgi: Any

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = Bridge(self.wsgi, threads=max(THREADS, self.cfg.threads))
