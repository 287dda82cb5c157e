"""Logs: read by pages, followed live, fetched whole."""

from typing import Any

from flask import Response, request

from mod_api import application
from mod_api.middleware.auth import current_caller, requires
from mod_api.middleware.files import UNCHANGED, send_text
from mod_api.middleware.resource import Resource
from mod_api.schemas.logs import (
    FINISHED,
    EventIdHeaders,
    LastEventIdHeaders,
    LogLineSchema,
    LogPaginationSchema,
    RunLogQuery,
    StreamQuery,
    TestLogQuery,
)
from mod_api.schemas.pages import page_of
from mod_api.services.logs import logs, streams
from mod_api.services.runs import run_events
from mod_api.streaming import frames
from mod_api.streaming.stream import Stream
from mod_auth.scopes import Scope

bp = Resource(
    "Errors and Logs", __name__, url_prefix="/runs", description="Structured errors and logs"
)
LogPage = page_of(LogLineSchema, LogPaginationSchema, finished=FINISHED)
CONTENT_TYPE = f"{frames.MEDIA_TYPE}; charset=utf-8"
STREAM = (
    "Server-Sent Events (text/event-stream); an `end` event, with the id `end`, is the last one"
)
SEEN = "After `Last-Event-ID: end`: the stream is over, do not connect again"


@bp.get("/<id:run_id>/logs")
@requires(Scope.SYSTEM_READ)
@bp.query(RunLogQuery)
@bp.response(200, LogPage, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "log_not_found"})
def read_log(run_id: int, **asked: Any) -> Any:
    """Read a run's log by pages; during the run it shows what has arrived.

    A page looks at a bounded part of the log: with a rare filter it may come back short or
    empty, with a cursor to go on.
    """
    return logs.read_run(
        run_id, settings=application.settings(), repository=application.repository(), **asked
    )


@bp.get("/<id:run_id>/samples/<id:sample_id>/logs")
@requires(Scope.SYSTEM_READ)
@bp.query(TestLogQuery)
@bp.response(200, LogPage, unit=False)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "log_not_found"})
def read_test_log(run_id: int, sample_id: int, **asked: Any) -> Any:
    """Read what one regression test of a run printed (`sample_id` is the result's id)."""
    return logs.read_test(
        run_id,
        sample_id,
        settings=application.settings(),
        repository=application.repository(),
        **asked,
    )


@bp.get("/<id:run_id>/logs/raw")
@requires(Scope.SYSTEM_READ)
@bp.response(200, content_type="text/plain", description="The log as it is", unit=False)
@bp.alt_response(206, description="The part that Range asked for")
@bp.alt_response(304, description=UNCHANGED)
@bp.fails(400, 401, 403, 404, 416, 429, 503)
@bp.codes({404: "log_not_found"})
def download_log(run_id: int) -> Any:
    """Fetch a run's log whole or by Range, compressed where the client takes it."""
    key, filename = logs.raw(
        run_id, settings=application.settings(), repository=application.repository()
    )
    return send_text(application.repository(), key, filename)


@bp.get("/<id:run_id>/logs/stream")
@requires(Scope.SYSTEM_READ)
@bp.query(StreamQuery)
@bp.arguments(LastEventIdHeaders, location="headers")
@bp.response(200, content_type=frames.MEDIA_TYPE, description=STREAM, unit=False)
@bp.alt_response(204, description=SEEN)
@bp.fails(400, 401, 403, 404, 429, 503)
@bp.codes({404: "log_not_found"})
def follow_log(headers: dict[str, Any], run_id: int, **asked: Any) -> Any:
    """Follow a run's log: each line is a `line` event whose id is a durable offset.

    A client that reconnects with Last-Event-ID misses nothing and gets nothing twice. A `position`
    event only tells where the client is: first where the stream starts at the log's end, and later
    where filters left lines out. A queued run is waited for.
    """
    return streamed(
        lambda: streams.follow_log(
            run_id,
            app=application.current(),
            settings=application.settings(),
            repository=application.repository(),
            token_id=current_caller().token_id,
            last_event_id=headers.get("last_event_id"),
            **asked,
        )
    )


@bp.get("/<id:run_id>/events")
@requires(Scope.RUNS_READ)
@bp.arguments(EventIdHeaders, location="headers")
@bp.response(200, content_type=frames.MEDIA_TYPE, description=STREAM, unit=False)
@bp.alt_response(204, description=SEEN)
@bp.fails(400, 401, 403, 404, 429, 503)
def follow_run(headers: dict[str, Any], run_id: int) -> Any:
    """Follow a run: `progress`, `result` and `counts` events, result by result.

    A client that reconnects with Last-Event-ID misses nothing and gets nothing twice.
    """
    return streamed(
        lambda: run_events.follow(
            run_id,
            app=application.current(),
            settings=application.settings(),
            token_id=current_caller().token_id,
            last_event_id=headers.get("last_event_id"),
        )
    )


def streamed(open_stream: Any) -> Response:
    """The response that a stream is; 204 where there is nothing more to follow."""
    stream: Stream | None = open_stream()
    if stream is None:
        return Response(status=204)
    if request.method == "HEAD":
        stream.close()
        return Response(content_type=CONTENT_TYPE, headers=frames.HEADERS)
    return Response(
        stream,
        content_type=CONTENT_TYPE,
        headers=frames.HEADERS,
        direct_passthrough=True,
    )
