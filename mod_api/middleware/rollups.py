"""Settling marks of single runs once an answer is sent: no reader waits for it."""

import functools

import structlog
from flask import Flask, Response, after_this_request

from mod_api import application
from mod_test.rollup.settle import settle_marks

log = structlog.get_logger("rollup")


def settle_after_this_request() -> None:
    """Settle what waits when the response of this request is closed."""
    app = application.current()

    @after_this_request
    def on_close(response: Response) -> Response:
        response.call_on_close(functools.partial(_settle, app))
        return response


def _settle(app: Flask) -> None:
    with app.app_context():
        try:
            settle_marks()
        except Exception:  # the next reader derives, and then tries again
            log.exception("marks_not_settled")
