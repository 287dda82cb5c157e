"""The audit log."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import Number, Timestamp, query_id, text
from mod_api.schemas.pages import OffsetQuery


class AuditLogQuery(OffsetQuery):
    action = text(50, metadata={"description": "For example `baseline.approved`"})
    account = text(255, metadata={"description": "Name of the account that did it"})
    account_id = query_id(metadata={"description": "Account that did it"})
    subject_type = text(50, metadata={"description": "For example `run`, `baseline_approval`"})
    subject_id = query_id(metadata={"description": "What it was done to"})


class AuditEventSchema(Schema):
    event_id = Number(least=1, required=True)
    at = Timestamp(required=True)
    action = fields.String(required=True)
    account_id = Number(
        least=1, required=True, allow_none=True,
        metadata={"description": "Null for what was done on the command line"},
    )  # fmt: skip
    account = fields.String(
        required=True, allow_none=True, metadata={"description": "Its name at that time"}
    )
    subject_type = fields.String(required=True)
    subject_id = Number(required=True, allow_none=True)
    details = fields.Dict(keys=fields.String(), required=True)
