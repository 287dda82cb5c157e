"""The platform itself: its index, its health and its queue."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import (
    COMMIT,
    REPOSITORY,
    Cut,
    Moment,
    Number,
    Truth,
    text,
    word,
)
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.runs import PLATFORMS

HEALTH = ["ok", "degraded", "down"]


class IndexSchema(Schema):
    name = Cut(100, required=True)
    version = Cut(50, required=True)
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        metadata={"description": "`docs`, `openapi_yaml`, `openapi_json`, `health`, `self`"},
    )


class DependencySchema(Schema):
    name = Cut(100, required=True)
    status = word(*HEALTH, required=True)
    message = Cut(500, allow_none=True)


class SystemHealthSchema(Schema):
    status = word(*HEALTH, required=True)
    checked_at = Moment(required=True)
    dependencies = fields.List(fields.Nested(DependencySchema), required=True)


class QueueQuery(OffsetQuery):
    platform = word(*PLATFORMS)
    status = word("queued", "running")


class QueueJobSchema(Schema):
    run_id = Number(least=1, required=True)
    status = word("queued", "running", required=True)
    platform = word(*PLATFORMS, required=True)
    queued_at = Moment(required=True)
    started_at = Moment(allow_none=True)
    position = Number(
        least=1, allow_none=True, metadata={"description": "Counts per platform; null when running"}
    )


class BranchQuery(OffsetQuery):
    repository = text(100, pattern=REPOSITORY, metadata={"description": "OWNER/NAME on GitHub"})
    name = text(100, metadata={"description": "A part of the name; ASCII case is ignored"})
    active = Truth(from_text=True, metadata={"description": "Has a run of the last 90 days"})


class BranchSchema(Schema):
    repository = Cut(100, required=True, metadata={"pattern": REPOSITORY.regex.pattern})
    name = Cut(100, required=True)
    head_sha = fields.String(
        validate=COMMIT, allow_none=True, metadata={"description": "The newest run's commit"}
    )
    active = fields.Boolean(
        required=True, metadata={"description": "Has a run of the last 90 days"}
    )


class EnvironmentQuery(OffsetQuery):
    platform = word(*PLATFORMS)
    active = Truth(from_text=True, metadata={"description": "Not in maintenance"})
