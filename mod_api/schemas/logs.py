"""Lines of logs, and how they are asked for."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    Number,
    Pattern,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    one_of,
    query_id,
    text,
)
from mod_api.schemas.pages import CursorPaginationSchema, CursorQuery
from mod_test.logs.legacy_line_levels import Level, Source

LEVELS = [level.value for level in Level]
SOURCES = [source.value for source in Source]
CONTAINS = "Text in the message; the case of ASCII letters is ignored"


class TestLogQuery(CursorQuery):
    __test__ = False  # not a test class, whatever its name

    level = one_of(*LEVELS)
    contains = text(100, metadata={"description": CONTAINS})
    order = one_of(
        "asc", "desc", load_default="asc", metadata={"description": "desc: newest first"}
    )


class RunLogQuery(TestLogQuery):
    source = one_of(*SOURCES)
    tail = Number(
        least=1,
        most=1000,
        from_text=True,
        metadata={"description": "The last N lines; not with cursor or order"},
    )


class StreamQuery(Schema):
    from_beginning = StrictBoolean(
        from_text=True,
        load_default=True,
        metadata={"description": "Replay everything first; false starts at the end"},
    )
    level = one_of(*LEVELS)
    source = one_of(*SOURCES)
    contains = text(100, metadata={"description": CONTAINS})
    regression_id = query_id(metadata={"description": "Only lines of this regression test"})


def event_id(pattern: str) -> fields.String:
    return fields.String(
        data_key="Last-Event-ID",
        validate=Pattern(pattern),
        metadata={
            "description": "Go on after the event with this id, which may be any that was sent. "
            "After `end` there is nothing: 204, and a client comes back no more."
        },
    )


class LastEventIdHeaders(Schema):
    last_event_id = event_id("^(end|[0-9]{1,10})$")


class EventIdHeaders(Schema):
    last_event_id = event_id("^(end|(-1|[0-9]{1,10})-[0-9]{1,10}(-[0-9a-f]{8})?)$")


class LogLineSchema(Schema):
    timestamp = Timestamp(required=True)
    level = one_of(*LEVELS, required=True)
    source = one_of(*SOURCES, required=True)
    message = TruncatedString(4000, required=True)
    run_id = Number(least=1, required=True)
    sample_id = Number(least=1, allow_none=True)
    regression_id = Number(least=1, allow_none=True)


class LogPaginationSchema(CursorPaginationSchema):
    resume_cursor = text(
        255,
        required=True,
        allow_none=True,
        metadata={"description": "Where to go on once more has arrived; never null"},
    )


FINISHED = fields.Boolean(
    required=True,
    metadata={
        "description": "Whether no more can come. next_cursor null with finished false means: "
        "wait, then go on at resume_cursor."
    },
)
