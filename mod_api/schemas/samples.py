"""Media samples."""

from marshmallow import fields, validate

from mod_api.schemas.dumping import Schema
from mod_api.schemas.fields import SHA256, Number, Pattern, TruncatedString, one_of, text
from mod_api.schemas.pages import OffsetQuery
from mod_api.schemas.runs import FOR_SP
from mod_sample.storage import StorageStatus

EXTENSION = Pattern("^[a-zA-Z0-9]+$")
SAMPLE_STATUSES = ["active", "inactive"]


class SampleListQuery(OffsetQuery):
    status = one_of(
        *SAMPLE_STATUSES,
        metadata={"description": "Whether any active regression test uses the sample"},
    )
    name = text(100, metadata={"description": "Part of the name; the case of ASCII is ignored"})
    tag = text(50, metadata={"description": "A tag, exactly"})
    sha256 = fields.String(validate=SHA256)
    extension = text(10, pattern=EXTENSION)


class SampleSchema(Schema):
    sample_id = Number(least=1, required=True)
    sha256 = fields.String(validate=SHA256, required=True)
    name = TruncatedString(255)
    extension = TruncatedString(10)
    status = one_of(*SAMPLE_STATUSES)
    tags = fields.List(TruncatedString(50), validate=validate.Length(max=50))
    media_info = fields.Dict(
        metadata={
            "description": "What mediainfo said of the file: `tracks`, each with its `type`; empty "
            "where that is not known. Not in lists.",
            "additionalProperties": True,
        }
    )
    media_info_status = one_of(
        *StorageStatus,
        metadata={
            "description": "Where mediainfo's report is: `ok` where it was read, `degraded` where "
            "the storage does not answer now, `missing` where there is none. Not in lists."
        },
    )
    sha = fields.String(
        attribute="sha256", dump_only=True, metadata={"description": f"`sha256` {FOR_SP}"}
    )
    original_name = TruncatedString(
        255, attribute="name", dump_only=True, metadata={"description": f"`name` {FOR_SP}"}
    )
    notes = TruncatedString(
        1000, allow_none=True, metadata={"description": "What those who uploaded it noted"}
    )
    links = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "`self`, `history` and `regression_tests`"},
    )
