"""The one shape of every error."""

from marshmallow import fields

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import text


class ErrorResponseSchema(Schema):
    """Code for programs, message for people, details for both; details is never null."""

    code = text(100, required=True, metadata={"example": "not_found"})
    message = text(500, required=True, metadata={"example": "Run 9317 not found."})
    details = fields.Dict(keys=fields.String(), required=True)
