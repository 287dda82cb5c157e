"""The platform itself: its index, its health and its queue."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    COMMIT,
    REPOSITORY,
    Number,
    StrictBoolean,
    Timestamp,
    TruncatedString,
    one_of,
    text,
)
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.runs import PLATFORMS

HEALTH = ["ok", "degraded", "down"]


class IndexSchema(Schema):
    name = TruncatedString(100, required=True)
    version = TruncatedString(50, required=True)
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "`docs`, `openapi_yaml`, `openapi_json`, `health`, `self`"},
    )


class DependencySchema(Schema):
    name = TruncatedString(100, required=True)
    status = one_of(*HEALTH, required=True)
    message = TruncatedString(500, allow_none=True)


class SystemHealthSchema(Schema):
    status = one_of(*HEALTH, required=True)
    checked_at = Timestamp(required=True)
    dependencies = fields.List(fields.Nested(DependencySchema), required=True)


class QueueQuery(OffsetQuery):
    platform = one_of(*PLATFORMS)
    status = one_of("queued", "running")


class QueueJobSchema(Schema):
    run_id = Number(least=1, required=True)
    status = one_of("queued", "running", required=True)
    platform = one_of(*PLATFORMS, required=True)
    queued_at = Timestamp(required=True)
    started_at = Timestamp(allow_none=True)
    position = Number(
        least=1, allow_none=True, metadata={"description": "Counts per platform; null when running"}
    )


class BranchQuery(OffsetQuery):
    repository = text(100, pattern=REPOSITORY, metadata={"description": "OWNER/NAME on GitHub"})
    name = text(100, metadata={"description": "A part of the name; ASCII case is ignored"})
    active = StrictBoolean(
        from_text=True, metadata={"description": "Has a run of the last 90 days"}
    )


class BranchSchema(Schema):
    repository = TruncatedString(100, required=True, metadata={"pattern": REPOSITORY.regex.pattern})
    name = TruncatedString(100, required=True)
    head_sha = fields.String(
        validate=COMMIT, allow_none=True, metadata={"description": "The newest run's commit"}
    )
    active = fields.Boolean(
        required=True, metadata={"description": "Has a run of the last 90 days"}
    )


class EnvironmentQuery(OffsetQuery):
    platform = one_of(*PLATFORMS)
    active = StrictBoolean(from_text=True, metadata={"description": "Not in maintenance"})
