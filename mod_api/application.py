"""What the application that answers this request (or runs this command) was made with."""

from flask import Flask, current_app

from config import Settings
from mod_sample.storage import Repository


def current() -> Flask:
    """The application itself, for what goes on after the request."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's own
    return app


def settings() -> Settings:
    """Its settings."""
    found: Settings = current_app.extensions["settings"]
    return found


def repository() -> Repository:
    """Its storage of files."""
    found: Repository = current_app.extensions["repository"]
    return found
