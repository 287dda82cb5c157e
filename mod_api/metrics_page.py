"""`GET /metrics` on METRICS_ADDRESS: nothing else is served there, and nowhere else are they."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask
from prometheus_client import CONTENT_TYPE_LATEST

from mod_api.services.system import run_metrics


def page_of(app: Flask) -> WSGIApplication:
    """A WSGI application that answers with the metrics of `app`, and 404 to everything else."""

    database = run_metrics.probe(app)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if environ["PATH_INFO"] != "/metrics" or method not in ("GET", "HEAD"):
            start_response("404 Not Found", [("Content-Length", "0")])
            return ()
        told = run_metrics.exposition(database)
        start_response(
            "200 OK", [("Content-Type", CONTENT_TYPE_LATEST), ("Content-Length", str(len(told)))]
        )
        return () if method == "HEAD" else (told,)

    return answer
