"""The application of this request or command: its settings, its storage, the base of its links."""

from flask import Flask, current_app, request
from werkzeug.sansio.utils import host_is_trusted

from config import TRUSTED_HOST, Settings
from mod_sample.storage import Repository

PREFIX = "/api/v1"


def current() -> Flask:
    """Return the application itself, for what goes on after the request."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's own
    return app


def settings() -> Settings:
    """Return its settings."""
    found: Settings = current_app.extensions["settings"]
    return found


def repository() -> Repository:
    """Return its storage of files."""
    found: Repository = current_app.extensions["repository"]
    return found


def base_url() -> str:
    """Return the base of links: PUBLIC_URL, else the request's own host where it is trusted, else
    none, so that a forged Host never enters an answer."""
    known = settings()
    if known.public_url:
        return known.public_url + PREFIX
    host, trusted = request.host, known.trusted_hosts
    # Asked with an empty list, werkzeug trusts everybody.
    if trusted and TRUSTED_HOST.fullmatch(host) and host_is_trusted(host, trusted):
        return f"{request.scheme}://{host}{PREFIX}"
    return PREFIX
